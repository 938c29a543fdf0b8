"""Recorded answers: facts come back whole, a plan is recorded with a digest, and nobody plans twice."""

from __future__ import annotations

import json

import pytest

from generator import recording, workflow
from generator.catalogue.models import embedded_ids, embedded_model
from generator.errors import RequestError
from generator.models.plan import digest_of
from generator.models.request import Request

MODEL = "Qwen/Qwen3-8B"


def request_for(**stated):
    return Request(**({"model": MODEL, "source": "embedded", "gpu": "L4", "vllm": "0.33.0"} | stated))


@pytest.mark.parametrize("model", embedded_ids())
def test_recorded_facts_are_small_and_come_back_whole(model):
    facts = embedded_model(model)
    recorded = recording.facts_answer(Request(model=model), facts)
    assert recording.facts_of(json.loads(json.dumps(recorded))) == facts
    assert len(json.dumps(recorded)) <= 8_000


def test_facts_of_an_older_package_are_read():
    """What 1.0.0 recorded of a model, fields that came later absent."""
    recorded = {
        "asked": {"model": "a/b", "revision": "", "source": "auto", "replan": 0},
        "id": "a/b", "revision": None, "source": "embedded",
        "architecture": {
            "model_type": "llama", "architecture": "LlamaForCausalLM", "hidden_size": 64, "vocab_size": 10,
            "max_position_embeddings": 128, "tie_word_embeddings": True, "layer_pattern": "0*2",
            "layer_kinds": [
                {
                    "mixer": {
                        "kind": "full", "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
                        "head_dim_v": 16,
                    },
                    "feed_forward": {"kind": "dense", "intermediate_size": 128},
                }
            ],
        },
        "checkpoint": {},
    }  # fmt: skip
    assert recording.facts_of(recorded).architecture.num_hidden_layers == 2


def test_unreadable_facts_name_the_field():
    with pytest.raises(RequestError, match="architecture"):
        recording.facts_of({"id": "a/b", "revision": None, "source": "hub", "checkpoint": {}})


def test_a_record_changes_its_digest_with_any_part():
    found = recording.record(workflow.prove(request_for(), embedded_model(MODEL)), {"model": MODEL})
    shown = found.model_dump(mode="json")
    assert digest_of(shown) == found.digest
    assert digest_of(shown | {"summary": "another"}) != found.digest
    assert len(found.digest) == 64


def test_a_proof_at_hand_stands_for_its_own_request_and_facts_alone():
    facts = embedded_model(MODEL)
    held = workflow.prove(request_for(), facts)
    with recording.proven(held):
        assert recording.prove(request_for(), embedded_model(MODEL)) is held
        assert recording.prove(request_for(gpus=2), facts).plan.cluster.gpus_per_node == 2
        assert recording.prove(request_for(), facts.model_copy(update={"license": "other"})) is not held
    assert recording.prove(request_for(), facts) is not held


@pytest.mark.parametrize(("answers", "said"), [({"model": MODEL, "gpus": 0}, "^gpus: "), ({"gpus": 1}, "^model: ")])
def test_answers_that_make_no_request_are_named(answers, said):
    with pytest.raises(RequestError, match=said):
        recording.request_of(answers | {"service": "chat"})
