"""The digest of recorded requests as an answer of a deployment."""

from __future__ import annotations

import hashlib

import pytest
from fixtures.deployments import commit
from typer.testing import CliRunner

from generator.cli.app import app
from generator.rendering.answers import read

pytestmark = pytest.mark.usefixtures("own_home")


def run(words):
    """The outcome of one command."""
    return CliRunner().invoke(app, words, catch_exceptions=False)


def test_the_digest_of_a_trace_is_kept_until_another_load_is_stated(tmp_path):
    """`generate --trace` records where the lengths came from; an update to others drops it, one to a trace sets it."""
    file, place = tmp_path / "trace.csv", tmp_path / "made"
    file.write_text("Timestamp,Request tokens,Response tokens\n0,100,10\n60,300,30\n", encoding="utf-8")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    words = ["generate", "Qwen/Qwen3-8B", "--gpu", "L4", "--offline", "--yes", "--git", "-o", str(place)]
    assert run([*words, "--trace", str(file)]).exit_code == 0
    assert read(place).values["trace"] == digest
    assert run(["update", str(place), "--prompt-tokens", "900", "--offline"]).exit_code == 0
    assert (read(place).values["trace"], read(place).values["prompt_tokens"]) == ("", 900)
    commit(place)
    assert run(["update", str(place), "--trace", str(file), "--offline"]).exit_code == 0
    assert read(place).values["trace"] == digest


def test_a_template_without_the_answer_is_planned_with_the_trace_all_the_same(tmp_path):
    """Template 1.5.0 keeps no digest: generating and updating with a trace work as they did."""
    file, place = tmp_path / "trace.csv", tmp_path / "made"
    file.write_text("Timestamp,Request tokens,Response tokens\n0,100,10\n60,300,30\n", encoding="utf-8")
    words = ["generate", "Qwen/Qwen3-8B", "--gpu", "L4", "--offline", "--yes", "--git", "-o", str(place)]
    assert run([*words, "--template", "1.5.0"]).exit_code == 0
    assert run(["update", str(place), "--trace", str(file), "--offline"]).exit_code == 0
    assert (read(place).values["prompt_tokens"], "trace" in read(place).values) == (200, False)
