"""The pre-commit hook and the GitHub Action: what each runs, run in a repository with a deployment."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from fixtures.programs import passes, tool

from generator.models.request import Request
from generator.operations.generate import generate

pytestmark = pytest.mark.usefixtures("own_home")

ROOT = Path(__file__).parents[2]
ACTION = ROOT / ".github/actions/check/action.yml"
(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
STEPS = yaml.safe_load(ACTION.read_text(encoding="utf-8"))["runs"]["steps"]


@pytest.fixture
def repository(tmp_path):
    """A git repository with one deployment below it, and this checkout's program first on the path."""
    generate(Request(model="Qwen/Qwen3-8B", gpu="L4-24GB"), tmp_path / "deployments/chat", offline=True)
    program = tmp_path / "bin" / "vllm-wizard"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m generator "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return tmp_path


def run(words, repository, **more):
    """Status and output of a command in the repository."""
    path = f"{repository / 'bin'}:{os.environ['PATH']}"
    own = {"PATH": path, "PYTHONPATH": os.pathsep.join(sys.path), "RUNNER_TEMP": str(repository / "temp"), **more}
    done = subprocess.run(
        words, cwd=repository, env=os.environ | own, capture_output=True, text=True, check=False, timeout=120
    )
    return done.returncode, done.stdout + done.stderr


def edit(repository):
    """An edit of an engine value by hand that nobody adopted."""
    path = repository / "deployments/chat/serve.yaml"
    path.write_text(re.sub(r"(?m)^max-num-seqs: .*", "max-num-seqs: 3", path.read_text("utf-8")), encoding="utf-8")


def hook(repository):
    """What pre-commit runs, which passes no file names to it."""
    assert HOOK["pass_filenames"] is False
    return run(shlex.split(HOOK["entry"]), repository)


def action(repository):
    """Every step of the Action, as its runner starts them."""
    told = {"HERE": str(ACTION.parent), "DIRECTORY": "deployments", "OFFLINE": "true"}
    for step in STEPS:
        status, said = run(["bash", "-eo", "pipefail", "-c", step["run"]], repository, **told)
        if status:
            break
    return status, said


@pytest.mark.parametrize("runner", [hook, action])
def test_a_sound_deployment_passes_and_an_edited_one_is_named(runner, repository):
    assert runner(repository)[0] == 0
    edit(repository)
    status, said = runner(repository)
    assert status == 8
    assert "vllm-wizard adopt" in said


def test_the_hook_looks_when_a_recorded_file_changes():
    wanted = re.compile(HOOK["files"])
    for name in (".copier-answers.yml", "deployments/chat/serve.yaml", "a/profile.yaml"):
        assert wanted.search(name)
    for name in ("README.md", "a/serve.yaml.jinja", "other-profile.yaml"):
        assert not wanted.search(name)


def test_the_action_gives_no_input_to_a_shell_as_code():
    assert [step["name"] for step in STEPS if "${{" in step["run"]] == []


@pytest.mark.needs_tool
def test_the_action_is_sound():
    passes(ROOT, tool("zizmor"), "--offline", "--quiet", str(ACTION))
