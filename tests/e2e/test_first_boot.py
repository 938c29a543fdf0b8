"""`make first-boot` of a rendered repository, with programs that write down how they are called."""

from __future__ import annotations

import shutil

import pytest
from fixtures.deployments import commit, git
from fixtures.programs import run, tool
from fixtures.rendered import ANSWERS, render

pytestmark = pytest.mark.needs_tool

STUB = '#!/bin/sh\necho "{name} $*" >>"{log}"\n{more}\n'
NOTHING_RUNS = "case $1 in exec) exit 1 ;; esac"
LOGS = "compose logs --no-color --no-log-prefix vllm"
"""Both ends of a pipe begin at once: its place is not fixed."""
SEEN = "compose exec -T vllm cat /etc/vllm/serve.yaml"
ORDER = [
    "wizard doctor --here", "preflight ", "compose version", SEEN, "compose up --detach", "wait ",
    "compose version", "wizard verify - --record", "smoke ",
    "wizard bench --short --record",
]  # fmt: skip


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    return render(ANSWERS["single"], tmp_path_factory.mktemp("single"))


@pytest.fixture
def first_boot(rendered, tmp_path):
    """Runs it in a copy that git keeps; `wizard` is the shell of the stand-in for vllm-wizard."""
    place, log = shutil.copytree(rendered, tmp_path / "it"), tmp_path / "log"

    def stub(path, name, more=""):
        path.write_text(STUB.format(name=name, log=log, more=more))
        path.chmod(0o755)
        return path

    for name in ("preflight", "wait-ready", "smoke"):
        stub(place / "scripts" / f"{name}.sh", name.partition("-")[0])
    git(place, "init", "--quiet")
    git(place, "config", "user.name", "a")
    git(place, "config", "user.email", "a@b.invalid")
    commit(place)

    def made(wizard="", compose="", target="first-boot"):
        own = f"WIZARD={stub(tmp_path / 'wizard', 'wizard', wizard)}"
        docker = f"DOCKER_COMPOSE={stub(tmp_path / 'compose', 'compose', compose or NOTHING_RUNS)}"
        done = run(place, tool("make"), target, own, docker)
        return place, *done, log.read_text().splitlines()

    return made


def test_every_step_is_done_in_order_and_what_was_learnt_is_kept(first_boot):
    """What `verify` plans anew is committed, so that `bench` can teach more; that is left to be read."""
    place, status, out, err, said = first_boot('case $1 in verify | bench) echo "# $1" >>serve.yaml ;; esac')
    assert status == 0, f"{out}\n{err}"
    assert LOGS in said
    assert [line for line in said if line != LOGS] == ORDER
    assert git(place, "log", "--format=%s", "-1").strip() == "Plan with what this machine showed"
    assert git(place, "diff", "--name-only").split() == ["serve.yaml"]
    assert "serve.yaml | 1 +" in out


def test_the_first_blocker_stops_it_with_the_way_on(first_boot):
    _, status, _, err, said = first_boot("exit 8")
    assert status != 0
    assert said == ["wizard doctor --here"]
    assert "first-boot stopped at make doctor: mend what it says, then make first-boot again" in err


@pytest.mark.parametrize(("ran_with", "anew"), [("cat serve.yaml", False), ("echo max-model-len: 1", True)])
def test_a_server_that_runs_with_another_serve_yaml_starts_anew(first_boot, ran_with, anew):
    """Compose alone would leave it: the file is mounted, and nothing of the container's own changed."""
    _, status, out, err, said = first_boot(compose=f"case $1 in exec) {ran_with} ;; esac", target="up")
    assert status == 0, f"{out}\n{err}"
    assert said[-2:] == ["compose up --detach", "wait "]
    assert ("compose rm --stop --force vllm" in said) is anew
