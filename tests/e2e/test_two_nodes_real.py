"""Two ranks of the real vLLM, started by the rendered commands of two nodes: they find each other, answer and end.

Longer than the ordinary run can take: .ci/full runs it.
"""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error

import pytest
from fixtures.gateway import ask, free_port
from fixtures.programs import vllm_python
from fixtures.real_vllm import KEY, environment, tiny_model

from generator.models.request import Request
from generator.operations.generate import generate

pytestmark = [pytest.mark.needs_tool, pytest.mark.slow, pytest.mark.usefixtures("own_home")]
STARTS_WITHIN_S = 600


def test_two_processes_with_the_rendered_commands_answer(tmp_path):
    """`scripts/serve.sh` as on two hosts, whose network is the loopback interface: tensor parallel, one rank each."""
    python = vllm_python()
    request = Request(
        model=str(tiny_model(python, tmp_path)), gpu="L4", nodes=2, vllm="0.32", prompt_tokens=256, gen_tokens=64,
        concurrency=2, overrides={"tensor_parallel_size": 2, "enforce_eager": True, "max_num_seqs": 16},
    )  # fmt: skip
    made = generate(request, tmp_path / "made", template="worktree", commit=False)
    port = free_port()
    ranks = [started(made.path, python, tmp_path, rank, port) for rank in (0, 1)]
    try:
        wait_for(f"http://127.0.0.1:{port}/health", ranks, tmp_path)
        body = json.dumps({"model": made.plan.engine["served_model_name"], "prompt": "hello", "max_tokens": 8}).encode()
        status, text = ask(f"http://127.0.0.1:{port}/v1/completions", KEY, body, within_s=300)
        assert status == 200, text
        assert json.loads(text)["usage"]["completion_tokens"] == 8
    finally:
        for rank in ranks:
            rank.terminate()
        for rank in ranks:
            rank.wait(timeout=120)


def started(place, python, work, rank, port):
    """The process of one rank; its log is beside."""
    network = {"HEAD_ADDR": "127.0.0.1", "NODE_ADDR": "127.0.0.1", "IFACE_NAME": "lo", "NODE_RANK": str(rank)}
    words = [place / "scripts/serve.sh", *(["--port", str(port)] if rank == 0 else [])]
    with (work / f"{rank}.log").open("w") as log:
        variables = environment(python, NO_PROXY="127.0.0.1", **network)
        return subprocess.Popen(words, env=variables, stdout=log, stderr=subprocess.STDOUT)


def wait_for(health, ranks, work):
    """Return once the head answers; fail with the end of both logs where a rank ends before."""
    for _ in range(STARTS_WITHIN_S):
        if any(rank.poll() is not None for rank in ranks):
            break
        try:
            if ask(health)[0] == 200:
                return
        except urllib.error.URLError:
            time.sleep(1)
    pytest.fail("\n".join((work / f"{rank}.log").read_text()[-2000:] for rank in (0, 1)))
