"""PlannerV1: what a template gets from the planner, and what it is told when there is nothing to get."""

from __future__ import annotations

import json

import pytest
from copier.errors import UserMessageError
from jinja2 import Environment

from generator import copier_ext, recording
from generator.catalogue.models import embedded_model
from generator.errors import UnknownFactError
from generator.models.plan import PlanRecord, digest_of
from generator.models.request import Request

MODEL = "Qwen/Qwen3-8B"
INPUTS = {"model": MODEL, "source": "embedded", "gpu": "A100-SXM-80GB", "vllm": "0.33.0"}


@pytest.fixture(scope="module")
def door():
    return Environment(extensions=[copier_ext.PlannerV1], autoescape=True).globals


def test_facts_say_what_was_asked_for(door):
    """An input that an older template lacks takes its default."""
    facts = door["vllm_facts"]({"model": MODEL, "source": "embedded"})
    assert facts["asked"] == {"model": MODEL, "revision": "", "source": "embedded", "replan": 0}
    assert recording.facts_of(facts) == embedded_model(MODEL)


def test_a_plan_is_the_record_of_its_inputs(door):
    facts = door["vllm_facts"]({"model": MODEL, "source": "embedded"})
    plan = door["vllm_plan"](INPUTS | {"facts": "a digest"}, facts)
    assert plan["inputs"] == INPUTS | {"facts": "a digest"}
    assert plan["digest"] == digest_of(plan)
    assert PlanRecord.model_validate(plan).serve == plan["serve"]
    assert plan == json.loads(json.dumps(plan))


def test_facts_of_a_draft_are_recorded_inside_and_come_back(door):
    overrides = {"speculative_config": {"model": "Qwen/Qwen3-0.6B", "num_speculative_tokens": 3}}
    request = Request(model=MODEL, overrides=overrides)
    facts = embedded_model(MODEL).model_copy(update={"draft": embedded_model("Qwen/Qwen3-0.6B")})
    recorded = json.loads(json.dumps(recording.facts_answer(request, facts)))
    assert recorded["draft"]["asked"] == {"model": "Qwen/Qwen3-0.6B", "revision": ""}
    assert recording.facts_of(recorded) == facts
    assert not recording.other_draft(request, recorded)
    assert recording.other_draft(Request(model=MODEL), recorded)
    plan = door["vllm_plan"](INPUTS | {"overrides": overrides}, recorded)
    assert plan["engine"]["speculative_config"] == overrides["speculative_config"]


def test_a_draft_that_no_template_recorded_is_read_when_it_is_planned(door):
    """An older template asks for facts without saying which draft."""
    overrides = {"speculative_config": {"model": "Qwen/Qwen3-0.6B", "num_speculative_tokens": 3}}
    facts = door["vllm_facts"]({"model": MODEL, "source": "embedded"})
    assert "draft" not in facts
    plan = door["vllm_plan"](INPUTS | {"overrides": overrides}, facts)
    assert plan["engine"]["speculative_config"]["model"] == "Qwen/Qwen3-0.6B"


def test_an_error_is_one_line_and_keeps_its_cause(door):
    facts = door["vllm_facts"]({"model": MODEL, "source": "embedded"})
    with pytest.raises(UserMessageError, match="H1000") as told:
        door["vllm_plan"](INPUTS | {"gpu": "H1000"}, facts)
    assert "\n" not in str(told.value)
    assert isinstance(told.value.__cause__, UnknownFactError)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"gpus": 0}, "gpus"), ({"invented_later": 1}, "newer vllm-wizard"), ({"model": ""}, "model")],
)
def test_inputs_that_make_no_request_are_named(door, change, said):
    facts = door["vllm_facts"]({"model": MODEL, "source": "embedded"})
    with pytest.raises(UserMessageError, match=said):
        door["vllm_plan"](INPUTS | change, facts)


def test_an_older_package_tells_a_newer_template_to_upgrade():
    with pytest.raises(UserMessageError, match="newer vllm-wizard"):
        copier_ext.PlannerV99  # noqa: B018 - the access is the point
    with pytest.raises(AttributeError):
        copier_ext.nothing  # noqa: B018


def test_a_new_deployment_is_pinned_to_a_release(door):
    assert door["vllm_release"]() == "0.33.0"


def test_the_gpu_of_a_machine_without_one_is_left_open(door):
    """Copier then asks, or says that the question is required."""
    assert door["vllm_gpu"]() is None
