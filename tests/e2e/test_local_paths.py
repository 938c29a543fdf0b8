"""Models in directories: what a repository records of them means the same from anywhere."""

from __future__ import annotations

import json

import pytest
import yaml
from fixtures.checkpoints import TINY_LLAMA, TINY_LLAMA_TENSORS
from fixtures.deployments import commit
from fixtures.hub_server import safetensors_files

from generator.models.request import Request
from generator.operations.anchoring import anchored
from generator.operations.generate import generate
from generator.operations.update import update


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A directory with three checkpoints, which is where the command is typed."""
    place = tmp_path / "models"
    for name in ("target", "draft", "other"):
        (place / name).mkdir(parents=True)
        (place / name / "config.json").write_text(json.dumps(TINY_LLAMA), encoding="utf-8")
        for file, held in safetensors_files(TINY_LLAMA_TENSORS).items():
            (place / name / file).write_bytes(held.head.ljust(held.size, b"\0"))
    monkeypatch.chdir(place)
    return place


def drafting(model):
    return {"speculative_config": {"method": "draft_model", "model": model, "num_speculative_tokens": 3}}


def test_relative_directories_are_recorded_by_their_absolute_paths(models, tmp_path, bundle, monkeypatch):
    request = Request(
        model="target", gpu="L4", prompt_tokens=64, gen_tokens=64, concurrency=2, overrides=drafting("./draft")
    )
    place = generate(request, tmp_path / "made", template="1.0.0", packaged=bundle).path
    monkeypatch.chdir(tmp_path)
    update(place, {"replan": 1}, packaged=bundle)
    answers = yaml.safe_load((place / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert answers["model"] == answers["model_facts"]["asked"]["model"] == str(models / "target")
    assert answers["overrides"] == drafting(str(models / "draft"))
    commit(place)
    monkeypatch.chdir(models)
    update(place, {"model": "other", "overrides": drafting("target")}, packaged=bundle)
    answers = yaml.safe_load((place / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert answers["model"] == str(models / "other")
    assert answers["plan"]["engine"]["speculative_config"]["model"] == str(models / "target")


def test_names_that_are_no_directories_stay_as_they_are(models):
    given = {"model": "Qwen/Qwen3-8B", "overrides": {"spec_model": "a/b", "spec_tokens": 3, "max_num_seqs": 8}}
    assert anchored(given) == given
    assert anchored({"model": "target"}, "hub") == {"model": "target"}
    assert anchored({"overrides": {"spec-model": "draft"}}) == {"overrides": {"spec-model": str(models / "draft")}}
