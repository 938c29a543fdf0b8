"""Sentence-transformers files are read as vLLM 0.32's transformers_utils/config.py reads them."""

from __future__ import annotations

import json

import pytest
from fixtures.checkpoints import TINY_LLAMA

from generator.models.checkpoint import SentenceFacts
from generator.models.request import Request
from generator.recording import facts_answer, facts_of
from generator.sources.hub import hub_facts
from generator.sources.local import local_facts
from generator.sources.repository_files import sentence_facts

MODEL = "org/tiny"
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"},
    {"idx": 3, "name": "3", "path": "3_Normalize", "type": "sentence_transformers.models.Normalize"},
]
# The layout of google/embeddinggemma-300m: mean pooling, a projection without a bias
FILES = {
    "modules.json": MODULES,
    "1_Pooling/config.json": {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True},
    "2_Dense/config.json": {"in_features": 768, "out_features": 3072, "bias": False},
    "sentence_bert_config.json": {"max_seq_length": 2048, "do_lower_case": False},
}
FOUND = SentenceFacts(pools=True, pooling_type="MEAN", max_seq_length=2048, projector_elements=768 * 3072)


def test_the_files_say_how_a_model_pools():
    assert sentence_facts(FILES.get, {}) == FOUND


def test_the_hub_is_asked_for_files_of_the_listing_alone(hub):
    hub.add(MODEL, TINY_LLAMA, files={name: json.dumps(held).encode() for name, held in FILES.items()})
    assert hub_facts(MODEL).sentence == FOUND
    hub.add(MODEL, TINY_LLAMA)
    seen = len(hub.requests)
    assert hub_facts(MODEL).sentence is None
    assert not any("modules.json" in path or "sentence_" in path for path in map(str, hub.requests[seen:]))


def test_offline_the_cache_still_says_so(hub):
    hub.add(MODEL, TINY_LLAMA, files={name: json.dumps(held).encode() for name, held in FILES.items()})
    hub_facts(MODEL)
    assert hub_facts(MODEL, cached_only=True).sentence == FOUND


def test_a_directory_says_so_too(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(TINY_LLAMA))
    assert local_facts(str(tmp_path)).sentence is None
    for name, held in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(held))
    facts = local_facts(str(tmp_path))
    assert facts.sentence == FOUND
    request = Request(model=str(tmp_path), gpu="L4")
    assert facts_of(json.loads(json.dumps(facts_answer(request, facts)))) == facts


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({"pooling_mode_cls_token": True}, "CLS"),
        ({"pooling_mode_lasttoken": True}, "LAST"),
        ({"pooling_mode": "mean"}, "MEAN"),
        ({"pooling_mode_weightedmean_tokens": True}, ""),
        ({"word_embedding_dimension": 768}, ""),
        (None, ""),
    ],
)
def test_a_pooling_of_vllm_is_named_and_another_is_left_to_the_class(config, kind):
    found = sentence_facts(({"modules.json": MODULES[:2], "1_Pooling/config.json": config}).get, {})
    assert found == SentenceFacts(pools=True, pooling_type=kind)


def test_modules_without_pooling_leave_a_chat_model_one():
    assert sentence_facts({"modules.json": MODULES[:1]}.get, {}) is None


@pytest.mark.parametrize(("stated", "limit"), [(8192, 8192), (1e30, None), (None, None)])
def test_the_tokenizer_caps_absolute_positions_alone(stated, limit):
    files = {"tokenizer_config.json": {"model_max_length": stated}}
    found = sentence_facts(files.get, {"position_embedding_type": "absolute"})
    assert (found.tokenizer_max_length if found else None) == limit
    assert sentence_facts(files.get, {"position_embedding_type": "rotary"}) is None


@pytest.mark.parametrize("odd", [{"modules.json": {}}, {"modules.json": [1]}, {"sentence_bert_config.json": []}])
def test_files_of_another_shape_say_nothing(odd):
    assert sentence_facts(odd.get, {}) is None
