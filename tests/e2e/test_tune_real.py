"""`tune` on the real CPU build: the better of two numbers of sequences, with a kill in the middle; by `.ci/full`."""

import os
import subprocess
import sys
import time

import pytest
from fixtures.deployments import git
from fixtures.gateway import free_port
from fixtures.programs import vllm_python
from fixtures.real_vllm import KEY, environment, tiny_model

from generator.models.request import Request
from generator.operations.generate import generate

pytestmark = [pytest.mark.needs_tool, pytest.mark.slow, pytest.mark.usefixtures("own_home")]


@pytest.fixture
def place(tmp_path):
    """Eight at once, served one by one as the plan's own value says."""
    request = Request(
        model=str(tiny_model(vllm_python(), tmp_path)), gpu="L4", vllm="0.32", prompt_tokens=64, gen_tokens=64,
        concurrency=8, overrides={"enforce_eager": True, "max_num_seqs": 1},
    )  # fmt: skip
    made = generate(request, tmp_path / "it", artefacts=("command",)).path
    (made / ".env").write_text(f"VLLM_API_KEY={KEY}\nSCRIPT_PORT={free_port()}\n")
    return made


def test_the_better_of_two_is_found_although_the_search_is_killed(place, tmp_path):
    """Eight sequences together beat one after the other; the search dies while it measures them, and goes on."""
    python = vllm_python()
    options = ("--script", "--short", "--values", "max_num_seqs=8", "--vllm", str(python.parent / "vllm"))
    words = [sys.executable, "-m", "generator", "tune", str(place), *options]
    given = os.environ | environment(python, NO_PROXY="127.0.0.1")
    said = tmp_path / "said"
    with said.open("w") as log, subprocess.Popen(words, env=given, stdout=log, stderr=log) as first:
        until(first, lambda: "max_num_seqs=8" in said.read_text() and said.read_text().endswith("seed 101\n"))
        first.kill()
    assert git(place, "symbolic-ref", "--short", "HEAD").startswith("tune/")
    done = subprocess.run(words, env=given, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr
    assert "0: the plan" not in done.stderr
    assert "vllm-wizard update --set max_num_seqs=8" in done.stdout
    assert (git(place, "symbolic-ref", "--short", "HEAD"), git(place, "status", "--porcelain")) == ("main\n", "")


def until(process, holds):
    end = time.monotonic() + 900
    while not holds():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
