"""A draft model through the life of a deployment: its facts are recorded, so that later plans need no network."""

from __future__ import annotations

import json

import pytest
import yaml
from fixtures.checkpoints import TINY_LLAMA, TINY_LLAMA_TENSORS
from fixtures.deployments import bare_copier, commit, git

from generator.errors import SourceError
from generator.models.request import Request
from generator.operations.generate import generate
from generator.operations.update import update

TARGET, DRAFT, OTHER = "acme/target", "acme/draft", "acme/other"


def speculative(model):
    return {"speculative_config": {"method": "draft_model", "model": model, "num_speculative_tokens": 3}}


def request_for(**stated):
    return Request(model=TARGET, gpu="A100-SXM-80GB", prompt_tokens=64, gen_tokens=64, **stated)


def answers_of(place):
    return yaml.safe_load((place / ".copier-answers.yml").read_text(encoding="utf-8"))


@pytest.fixture
def commits(hub):
    return {model: hub.add(model, TINY_LLAMA, TINY_LLAMA_TENSORS) for model in (TARGET, DRAFT, OTHER)}


@pytest.fixture
def deployment(commits, bundle, tmp_path):
    place = tmp_path / "made"
    generate(request_for(overrides=speculative(DRAFT)), place, template="1.0.0", packaged=bundle)
    return place


def test_the_draft_is_recorded_and_pinned(deployment, commits):
    answers = answers_of(deployment)
    recorded = answers["model_facts"]["draft"]
    assert recorded["asked"] == {"model": DRAFT, "revision": ""}
    assert (recorded["id"], recorded["revision"]) == (DRAFT, commits[DRAFT])
    assert answers["model_facts"]["revision"] == commits[TARGET]
    assert answers["overrides"] == speculative(DRAFT)
    pinned = speculative(DRAFT)["speculative_config"] | {"revision": commits[DRAFT]}
    assert answers["plan"]["engine"]["speculative_config"] == pinned


def test_bare_copier_plans_again_without_the_hub(deployment, hub, commits):
    hub.status = 503
    hub.requests.clear()
    bare_copier("update", "--trust", "--defaults", "-r", ":current:", "-d", "gpus=2", at=deployment)
    answers = answers_of(deployment)
    assert answers["plan"]["inputs"]["gpus"] == 2
    assert answers["plan"]["engine"]["speculative_config"]["revision"] == commits[DRAFT]
    assert hub.requests == []


def test_another_draft_leaves_the_target_where_it_is(deployment, hub, commits, bundle):
    hub.add(TARGET, TINY_LLAMA | {"max_position_embeddings": 1024}, TINY_LLAMA_TENSORS)
    update(deployment, {"overrides": speculative(OTHER)}, packaged=bundle)
    facts = answers_of(deployment)["model_facts"]
    assert facts["revision"] == commits[TARGET]
    assert facts["draft"]["revision"] == commits[OTHER]


def test_a_draft_that_goes_takes_its_facts_along(deployment, hub, bundle):
    hub.status = 503
    update(deployment, {"overrides": {}}, packaged=bundle)
    answers = answers_of(deployment)
    assert "draft" not in answers["model_facts"]
    assert "speculative_config" not in answers["plan"]["engine"]


def test_another_draft_by_bare_copier_is_read_when_it_is_planned(deployment, commits):
    overrides = f"overrides={json.dumps(speculative(OTHER))}"
    bare_copier("update", "--trust", "--defaults", "-r", ":current:", "-d", overrides, at=deployment)
    answers = answers_of(deployment)
    assert answers["plan"]["engine"]["speculative_config"]["revision"] == commits[OTHER]


def test_bare_copier_records_a_draft_wherever_it_reads_the_model(deployment, hub, commits):
    """A new draft leaves the model's facts alone; with `replan` both are read, recorded, and needed no more."""
    overrides = f"overrides={json.dumps(speculative(OTHER))}"
    bare_copier("update", "--trust", "--defaults", "-r", ":current:", "-d", overrides, "-d", "replan=1", at=deployment)
    assert answers_of(deployment)["model_facts"]["draft"]["revision"] == commits[OTHER]
    commit(deployment)
    hub.status = 503
    bare_copier("update", "--trust", "--defaults", "-r", ":current:", "-d", "gpus=2", at=deployment)
    assert answers_of(deployment)["plan"]["engine"]["speculative_config"]["revision"] == commits[OTHER]


def test_without_the_hub_an_unknown_draft_is_one_line(deployment, hub, bundle):
    commit(deployment)
    hub.status = 503
    with pytest.raises(SourceError, match="draft model of speculative_config") as refused:
        update(deployment, {"overrides": speculative("acme/never")}, packaged=bundle)
    assert "\n" not in str(refused.value)
    assert git(deployment, "status", "--porcelain") == ""
