"""The embedded models: which there are, how they are found, how large their facts are."""

from __future__ import annotations

import pytest

from generator.catalogue.models import embedded_ids, embedded_model
from generator.errors import UnknownFactError

EXPECTED = {
    "meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-70B-Instruct", "meta-llama/Llama-3.2-1B",
    "Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-7B-Instruct-AWQ", "Qwen/Qwen2.5-7B-Instruct-GPTQ-Int4",
    "Qwen/Qwen2.5-72B-Instruct", "Qwen/Qwen3-0.6B", "Qwen/Qwen3-8B", "Qwen/Qwen3-14B", "Qwen/Qwen3-32B",
    "Qwen/Qwen3-30B-A3B", "Qwen/Qwen3-235B-A22B", "Qwen/Qwen3-235B-A22B-FP8", "Qwen/Qwen3-Next-80B-A3B-Instruct",
    "google/gemma-3-1b-it", "google/gemma-3-4b-it", "google/gemma-3-12b-it", "google/gemma-3-27b-it",
    "mistralai/Mistral-7B-v0.1", "mistralai/Mixtral-8x7B-v0.1", "deepseek-ai/DeepSeek-V2-Lite",
    "deepseek-ai/DeepSeek-V3", "deepseek-ai/DeepSeek-V3.2", "moonshotai/Kimi-K2-Instruct", "openai/gpt-oss-20b",
    "openai/gpt-oss-120b", "zai-org/GLM-4.5", "zai-org/GLM-4.5-Air",
}  # fmt: skip


def test_the_popular_models_are_embedded():
    assert set(embedded_ids()) >= EXPECTED


def test_an_id_is_found_whatever_its_case():
    assert embedded_model("qwen/QWEN3-8b").id == "Qwen/Qwen3-8B"


def test_an_unknown_id_names_the_nearest():
    with pytest.raises(UnknownFactError, match="Qwen/Qwen3-8B"):
        embedded_model("Qwen/Qwen3-9B")


@pytest.mark.parametrize("model", embedded_ids())
def test_facts_are_whole_and_small_enough_to_record(model):
    facts = embedded_model(model)

    assert facts.source == "embedded"
    assert facts.checkpoint.total_bytes is None
    assert not facts.architecture.generic
    assert len(facts.model_dump_json()) <= 8200
