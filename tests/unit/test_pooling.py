"""Models that embed, classify or rank are refused by name, never planned as chat models."""

from __future__ import annotations

import pytest

from generator.catalogue.models import embedded_model
from generator.errors import RequestError, UnsupportedArchitectureError
from generator.models.request import Request
from generator.planning.pooling import task_of, task_of_class
from generator.sources.architectures import read_architecture
from generator.workflow import plan_for


@pytest.mark.parametrize(
    ("name", "task"),
    [  # vLLM 0.33 docs/models/pooling_models/{embed,classify,scoring}.md and registry.py
        ("BertModel", "embed"),
        ("RobertaModel", "embed"),
        ("RobertaForMaskedLM", "embed"),
        ("ModernBertModel", "embed"),
        ("XLMRobertaModel", "embed"),
        ("NomicBertModel", "embed"),
        ("BgeM3EmbeddingModel", "embed"),
        ("GteNewModel", "embed"),
        ("MistralModel", "embed"),
        ("LlamaBidirectionalModel", "embed"),
        ("HF_ColBERT", "embed"),
        ("CLIPModel", "embed"),
        ("BertForSequenceClassification", "classify"),
        ("XLMRobertaForSequenceClassification", "classify"),
        ("ModernBertForTokenClassification", "classify"),
        ("Qwen2ForRewardModel", "embed"),
        ("JinaVLForRanking", "score"),
        ("LlamaForCausalLM", "generate"),
        ("Qwen3_5ForConditionalGeneration", "generate"),
        ("GPT2LMHeadModel", "generate"),
        ("ChatGLMModel", "generate"),
        ("UltravoxModel", "generate"),
        ("Phi4ForCausalLMV", "generate"),
    ],
)
def test_a_class_says_what_it_is_for(name, task):
    assert task_of_class(name) == task


ENCODER = {
    "architectures": ["XLMRobertaModel"], "model_type": "xlm-roberta", "hidden_size": 1024, "intermediate_size": 4096,
    "num_attention_heads": 16, "num_hidden_layers": 24, "vocab_size": 250002, "max_position_embeddings": 8194,
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "architecture", "verb"),
    [
        ("BAAI/bge-m3", "XLMRobertaModel", "turns text into vectors"),
        ("BAAI/bge-reranker-v2-m3", "XLMRobertaForSequenceClassification", "classifies"),
    ],
)
def test_an_encoder_is_refused_by_name(name, architecture, verb):
    shapes = read_architecture(ENCODER | {"architectures": [architecture]})
    with pytest.raises(UnsupportedArchitectureError) as refused:
        planned(name, shapes)
    assert name in str(refused.value)
    assert verb in str(refused.value)
    assert "--runner pooling" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["Qwen/Qwen3-Embedding-8B", "Qwen/Qwen3-Reranker-8B"])
def test_an_embedding_model_of_a_chat_class_is_refused_by_name(name):
    shapes = embedded_model("Qwen/Qwen3-8B").architecture
    with pytest.raises(UnsupportedArchitectureError, match="pooling models are not planned"):
        planned(name, shapes)
    assert planned(name, shapes, overrides={"runner": "generate"}).engine["runner"] == "generate"


@pytest.mark.parametrize("asked", [{"runner": "pooling"}, {"convert": "embed"}])
def test_a_chat_model_is_not_planned_as_a_pooling_model(asked):
    with pytest.raises(RequestError, match="models that generate text"):
        planned("Qwen/Qwen3-8B", embedded_model("Qwen/Qwen3-8B").architecture, overrides=asked)


def test_shapes_without_a_cache_generate_nothing():
    assert task_of(read_architecture(ENCODER | {"architectures": ["UnheardOf"]})) == "embed"


def planned(name, architecture, **stated):
    facts = embedded_model("Qwen/Qwen3-8B").model_copy(update={"id": name, "architecture": architecture})
    return plan_for(Request(model=name, gpu="L40S", source="embedded", **stated), facts)
