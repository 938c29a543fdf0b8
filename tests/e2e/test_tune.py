"""`tune` with a `vllm` that stands in for the real one: what wins is kept, what loses reverted, a kill is survived."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fixtures.deployments import commit, git
from fixtures.gateway import free_port
from fixtures.openai_server import answering

from generator.errors import RenderError, RequestError, SourceError
from generator.models.request import Request
from generator.operations.generate import generate
from generator.operations.tuning.tune import tune

pytestmark = pytest.mark.usefixtures("own_home")

FAKE = Path(__file__).parents[1] / "fixtures" / "fake_vllm.py"
VALUES = {"max_num_seqs": (16, 32, 64, 999999)}
SPEEDS = {
    "seen": {"8": 500, "16": "dies", "32": 900, "64": 950},
    "unseen": {"8": 500, "16": "dies", "32": 900, "64": 905},
}
"""8 is the plan's. 64 is better than 32 on the prompts that are seen, and by less than a percent on the others."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Qwen3-8B on an L4 for eight at once, admitted one by one as the user wants it."""
    request = Request(
        model="Qwen/Qwen3-8B", gpu="L4", vllm="0.33", source="embedded", concurrency=8, prompt_tokens=64,
        gen_tokens=16, overrides={"max_num_seqs": 8},
    )  # fmt: skip
    return generate(request, tmp_path_factory.mktemp("made") / "it", offline=True, artefacts=("command",)).path


@pytest.fixture
def place(made, tmp_path, monkeypatch):
    """A copy with a port of its own; `vllm` on the path is the fake one."""
    copy = shutil.copytree(made, tmp_path / "it", symlinks=True)
    (copy / ".env").write_text(f"VLLM_API_KEY=k\nSCRIPT_PORT={free_port()}\n")
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "vllm").write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAKE}" "$@"\n')
    (folder / "vllm").chmod(0o755)
    (folder / "speeds.json").write_text(json.dumps(SPEEDS))
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_VLLM", str(folder))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return copy


def said(kind):
    """What the fake `vllm` logged of one kind of call."""
    log = Path(os.environ["FAKE_VLLM"], "log")
    lines = log.read_text().splitlines() if log.exists() else []
    return [line.split()[1:] for line in lines if line.startswith(kind)]


def outcomes(found):
    return {one.words["max_num_seqs"]: one.outcome for one in found.tried}


def test_what_wins_on_prompts_that_were_not_seen_is_kept_and_the_rest_reverted(place):
    """The planner refuses a million sequences, 16 dies at start; 64 is ahead by less than a percent or behind 32."""
    before = git(place, "rev-parse", "HEAD")
    found = tune(place, values=VALUES, script=True, short=True)
    assert outcomes(found) | {"64": "?", "32": "?"} == {
        "8": "the plan", "16": "did not start", "32": "?", "64": "?", "999999": "refused",
    }  # fmt: skip
    assert found.best.words["max_num_seqs"] in {"32", "64"}
    assert found.best.held.mean >= 900
    assert next(one.why for one in found.tried if one.outcome == "did not start") == "the GPU's memory ran out"
    assert "999999" not in {sequences for sequences, _ in said("serve")}
    assert git(place, "rev-parse", "HEAD") == before
    assert git(place, "status", "--porcelain") == ""
    value = found.overrides["max_num_seqs"]
    assert f"\nmax-num-seqs: {value}\n" in git(place, "show", f"{found.branch}:serve.yaml")
    subjects = git(place, "log", "--format=%s", f"main..{found.branch}").splitlines()
    assert [one for one in subjects if one.startswith('Revert "Try max_num_seqs=16')]
    git(place, "merge", "--quiet", "--ff-only", found.branch)
    assert "not tuned on" in (place / "measurements" / "tune.md").read_text()


def test_a_search_that_is_killed_goes_on_and_measures_nothing_twice(place):
    """Killed while 32 is measured: its server dies with it, and the same command finds it the best of two."""
    hang = Path(os.environ["FAKE_VLLM"], "hang")
    hang.write_text("32")
    options = ("--script", "--short", "--values", "max_num_seqs=32")
    words = [sys.executable, "-m", "generator", "tune", str(place), *options]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as first:
        until(lambda: ["32", "101"] in said("bench"))
        first.kill()
    server = next(int(pid) for sequences, pid in said("serve") if sequences == "32")
    until(lambda: not Path(f"/proc/{server}").exists())
    assert git(place, "symbolic-ref", "--short", "HEAD").startswith("tune/")
    hang.unlink()
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "max_num_seqs=32: 900 tokens/s against the plan's 500 (+80 %)" in done.stdout
    assert "vllm-wizard update --set max_num_seqs=32" in done.stdout
    assert [seed for sequences, seed in said("bench") if sequences == "8"] == ["101", "211", "223"]
    assert (git(place, "symbolic-ref", "--short", "HEAD"), git(place, "status", "--porcelain")) == ("main\n", "")
    branch = done.stdout.split()[-1]
    git(place, "branch", "--quiet", "-D", branch)
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0
    assert "\nmax-num-seqs: 32\n" in git(place, "show", f"{branch}:serve.yaml")


def until(holds):
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"max_num_seq": (1,)}, "has no such argument"),
        ({"max_num_seqs": (8,)}, "the plan has max_num_seqs so already"),
        ({"max_num_seqs": ("many", -1)}, "no value beside the plan's own can be planned: --max-num-seqs takes a whole"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_anything_starts(place, values, says):
    with pytest.raises(RequestError, match=says):
        tune(place, values=values, script=True)
    assert not said("serve")


def test_a_plan_that_does_not_start_ends_the_search_and_leaves_the_branch_of_the_user(place):
    Path(os.environ["FAKE_VLLM"], "speeds.json").write_text(json.dumps({"seen": {"8": "dies"}}))
    with pytest.raises(SourceError, match="the plan itself cannot be measured: the GPU's memory ran out"):
        tune(place, values={"max_num_seqs": (32,)}, script=True)
    assert git(place, "symbolic-ref", "--short", "HEAD") == "main\n"


def test_edits_that_are_not_committed_are_refused(place):
    with (place / "serve.yaml").open("a") as file:
        file.write("# mine\n")
    with pytest.raises(RenderError, match=r"uncommitted changes in serve\.yaml"):
        tune(place, values=VALUES, script=True)
    commit(place)
    assert not said("serve")


def test_without_optuna_one_line_says_what_to_install(place, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SourceError, match="pip install 'optuna>=5'"):
        tune(place)


COMPOSE = """#!/bin/sh
echo "$*" | cut -d " " -f 1-4 >>"{folder}/calls"
case "$*" in
  "up --detach") cp serve.yaml "{folder}/running" ;;
  down) rm -f "{folder}/running" ;;
  *"cat /etc/vllm/serve.yaml") cat "{folder}/running" ;;
  *result.json\\ *|*"bench serve"*) sed -n 's/^max-num-seqs: //p' "{folder}/running" >"{folder}/result" ;;
  *"cat "*result.json) printf '%s' '{{"completed": 8, "duration": 1, "mean_ttft_ms": 5, "mean_tpot_ms": 5,'
    printf '"output_throughput": %s, "request_throughput": 1}}' "$(cat "{folder}/result")" ;;
esac
"""
"""A Compose whose server is as fast as it has sequences."""


def test_a_server_of_compose_is_searched_and_runs_again_with_the_plan(tmp_path):
    """What make up and make down start and stop; at the end the user's own branch is what runs."""
    request = Request(
        model="Qwen/Qwen3-8B", gpu="L4", vllm="0.33", source="embedded", concurrency=8, overrides={"max_num_seqs": 8}
    )
    place = generate(request, tmp_path / "it", offline=True, artefacts=("compose",)).path
    compose = tmp_path / "compose"
    compose.write_text(COMPOSE.format(folder=tmp_path))
    compose.chmod(0o755)
    with answering() as url:
        (place / ".env").write_text(f"VLLM_API_KEY=k\nPORT={url.rpartition(':')[2]}\n")
        found = tune(place, values={"max_num_seqs": (4, 32)}, short=True, docker=str(compose))
    assert outcomes(found) == {"8": "the plan", "4": "no better", "32": "kept"}
    assert found.overrides == {"max_num_seqs": 32}
    assert "\nmax-num-seqs: 8\n" in (tmp_path / "running").read_text()
    calls = (tmp_path / "calls").read_text().splitlines()
    assert (calls.count("up --detach"), calls.count("down")) == (4, 4)
