"""Code of a model's own repository: config classes and tokenizers that vLLM runs only with consent."""

from __future__ import annotations

import json

import pytest
from fixtures.checkpoints import TINY_LLAMA

from generator.catalogue.classes import model_type_of
from generator.catalogue.models import embedded_model
from generator.errors import RequestError, UnsupportedArchitectureError
from generator.models.request import Request
from generator.sources.local import local_facts
from generator.sources.repository_files import brings_tokenizer
from generator.workflow import plan_for

KIMI = {
    "tokenizer_class": "TikTokenTokenizer",
    "auto_map": {"AutoTokenizer": ["tokenization_kimi.TikTokenTokenizer", None]},
}


def of_type(name, **facts):
    known = embedded_model("Qwen/Qwen3-8B")
    shapes = known.architecture.model_copy(update={"model_type": name})
    return known.model_copy(update={"architecture": shapes, "id": "a/own-code", **facts})


def planned(facts, **stated):
    return plan_for(Request(model=facts.id, gpu="L4", **stated), facts)


def test_the_class_of_config_json_is_code_where_neither_vllm_nor_transformers_has_it():
    """VLLM 0.33 of a nemotron-nas checkpoint: "contains custom code which must be executed" (config/model.py)."""
    facts = of_type("nemotron-nas", custom_code=True)
    with pytest.raises(RequestError, match=r"'nemotron-nas'.*--trust-remote-code"):
        planned(facts)
    assert planned(facts, trust_remote_code=True).engine["trust_remote_code"] is True
    with pytest.raises(UnsupportedArchitectureError, match=r"names no code of its own \(auto_map\)"):
        planned(of_type("nemotron-nas"))


def test_no_consent_is_asked_for_where_vllm_has_the_class_itself():
    """Many checkpoints name code that nobody runs: DeepSeek-V3, MiniMax-M2."""
    for name in ("deepseek_v3", "minimax_m2", "nemotron_h"):
        assert planned(of_type(name, custom_code=True)).feasibility.fits


@pytest.mark.parametrize(
    ("name", "release", "known"),
    [
        ("qwen3", "0.19.1", True),
        ("jais", "0.22.1", True),
        ("jais", "0.33.0", False),
        ("kimi_k2", "0.33.0", True),
        ("muse_spark", "0.33.0", True),
        ("muse_spark", "0.32.0", False),
        ("nemotron-nas", "0.33.0", False),
    ],
)
def test_config_classes_by_release(name, release, known):
    """VLLM's _CONFIG_REGISTRY of each release, and Transformers' CONFIG_MAPPING_NAMES."""
    assert model_type_of(name, release).has_config_class is known


def test_a_tokenizer_that_is_code_is_warned_of_until_it_is_allowed():
    """Without consent Transformers 5 takes a generic tokenizer in which Kimi's marks are single bytes."""
    facts = of_type("qwen3", tokenizer_code=True)
    asked = planned(facts)
    assert any("add --trust-remote-code" in text for text in asked.warnings)
    assert asked.feasibility.starts.answer == "doubtful"
    for made in (planned(facts, trust_remote_code=True), planned(of_type("qwen3", tokenizer_code=False))):
        assert made.feasibility.starts.answer == "yes" or "tokenizer" not in made.feasibility.starts.why
        assert not any("tokenizer_config.json" in text for text in made.warnings)


@pytest.mark.parametrize(
    ("file", "content", "brings"),
    [
        ("tokenizer_config.json", KIMI, True),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["a.B", None]}}, True),
        ("tokenizer_config.json", KIMI | {"tokenizer_class": "PreTrainedTokenizerFast"}, False),
        ("tokenizer_config.json", {"tokenizer_class": "Qwen2Tokenizer"}, False),
        ("processor_config.json", {"auto_map": {"AutoProcessor": "processing_a.AProcessor"}}, True),
        ("tokenizer_config.json", {"auto_map": 7}, False),
        ("other.json", {}, None),
    ],
)
def test_what_a_repository_says_of_its_tokenizer(file, content, brings):
    assert brings_tokenizer({file: content}.get) is brings


def test_a_directorys_own_word_goes_before_the_table(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(TINY_LLAMA))
    assert local_facts(str(tmp_path)).tokenizer_code is None
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(KIMI))
    assert local_facts(str(tmp_path)).tokenizer_code is True


def of_class(name, **facts):
    known = embedded_model("Qwen/Qwen3-8B")
    return known.model_copy(
        update={"architecture": known.architecture.model_copy(update={"architecture": name}), **facts}
    )


def test_a_class_that_neither_vllm_nor_transformers_has_is_refused_by_name():
    """VLLM 0.33 of Step-3.7-Flash-FP8: "Model architectures ['Step3p7FlashForCausalLM'] are not supported for now"."""
    with pytest.raises(UnsupportedArchitectureError, match=r"'Step3p7FlashForCausalLM', which neither vLLM nor"):
        planned(of_class("Step3p7FlashForCausalLM"))
    for name in ("HeliumForCausalLM", "GPTNeoForCausalLM", "Qwen3ForSequenceClassification", "Qwen3Model", ""):
        assert planned(of_class(name)).feasibility.fits
    assert planned(of_class("AcmeForCausalLM", custom_code=True)).feasibility.fits
