"""A command plans once, and builds the tables once, whatever Copier renders with the result."""

from __future__ import annotations

import json
import sys

import pytest
from fixtures.checkpoints import TINY_LLAMA, TINY_LLAMA_TENSORS
from fixtures.deployments import GPU, MODEL
from fixtures.hub_server import safetensors_files

from generator import workflow
from generator.cli import app
from generator.operations.check import check
from generator.operations.update import update


@pytest.fixture
def counted(monkeypatch):
    """Calls of the planner and of the tables so far."""
    counts = {"make_plan": 0, "tables_for": 0}

    def count(name):
        real = getattr(workflow, name)

        def counting(*given, **named):
            counts[name] += 1
            return real(*given, **named)

        monkeypatch.setattr(workflow, name, counting)

    for name in counts:
        count(name)
    return counts


ONCE = {"make_plan": 1, "tables_for": 1}


@pytest.fixture
def generated_by_command(monkeypatch, tmp_path):
    """Type `vllm-wizard generate` with these words, in a HOME where no test's own templates lie."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    def run(*words):
        line = ["vllm-wizard", "generate", *words, "--yes", "--output-dir", str(tmp_path / "made")]
        monkeypatch.setattr(sys, "argv", line)
        assert app.run() == 0

    return run


@pytest.mark.parametrize("stated", [("--gpu", "A100 80GB"), ("--gpu", GPU, "--vllm", "0.32", "--template", "1.0.0")])
def test_a_generate_plans_once(counted, generated_by_command, stated):
    """Also where GPU and release are named otherwise than they are recorded, and for every released template."""
    generated_by_command("--model", MODEL, *stated, "--offline")
    assert counted == ONCE


def test_a_generate_from_a_directory_plans_once(counted, generated_by_command, monkeypatch, tmp_path):
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "config.json").write_text(json.dumps(TINY_LLAMA), encoding="utf-8")
    for name, held in safetensors_files(TINY_LLAMA_TENSORS).items():
        (tmp_path / "tiny" / name).write_bytes(held.head.ljust(held.size, b"\0"))
    monkeypatch.chdir(tmp_path)
    generated_by_command("--model", "tiny", "--gpu", GPU, "--prompt-tokens", "64", "--gen-tokens", "64")
    assert counted == ONCE


def test_an_update_plans_once_where_an_answer_changes_and_never_where_none_does(counted, deployment, bundle):
    update(deployment, {}, packaged=bundle)
    assert counted == {"make_plan": 0, "tables_for": 0}
    update(deployment, {"concurrency": 3}, packaged=bundle)
    assert counted == ONCE


def test_a_check_plans_once(counted, deployment, bundle):
    check(deployment, offline=True, packaged=bundle)
    assert counted == ONCE
