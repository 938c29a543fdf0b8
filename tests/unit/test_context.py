"""The longest context: what config.json names, what its class fills in, and what the user overrides."""

from __future__ import annotations

import pytest
from fixtures.checkpoints import TINY_LLAMA

from generator.catalogue.models import embedded_model
from generator.errors import RequestError
from generator.models.request import Request
from generator.sources.architectures import read_architecture
from generator.sources.architectures.fields import max_length
from generator.workflow import plan_for

YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}


def planned(release="0.33.0", **overrides):
    request = Request(model="Qwen/Qwen3-8B", gpu="H100", source="embedded", vllm=release, overrides=overrides)
    return plan_for(request, embedded_model("Qwen/Qwen3-8B"))


@pytest.mark.parametrize(
    ("release", "stated", "context"),
    [
        ("0.29.0", {"rope_parameters": YARN}, 131072),
        ("0.33.0", {"rope_parameters": YARN, "max_position_embeddings": 131072}, 131072),
        ("0.33.0", {"text_config": {"rope_parameters": YARN, "max_position_embeddings": 131072}}, 131072),
        ("0.33.0", {"rope_parameters": YARN}, 40960),
        ("0.33.0", {"rope_parameters": {"rope_type": "linear", "factor": 2.0}}, 81920),
        ("0.29.0", {"rope_theta": 5e6}, 40960),
    ],
)
def test_scaled_rope_raises_the_context_by_the_releases_own_law(release, stated, context):
    """VLLM's _get_and_verify_max_len: up to 0.29 YaRN is the original length times its factor, later none."""
    made = planned(release, max_model_len=context, hf_overrides=stated)
    assert made.engine["max_model_len"] == context
    assert not any("not counted in this plan" in text for text in made.warnings)
    with pytest.raises(RequestError, match="greater than the model's own context"):
        planned(release, max_model_len=context + 1, hf_overrides=stated)


@pytest.mark.parametrize(
    "stated",
    [
        {"max_position_embeddings": 0},
        {"max_position_embeddings": "many"},
        {"rope_scaling": {"type": "linear", "factor": -4}},
    ],
)
def test_what_is_no_length_or_factor_is_refused(stated):
    with pytest.raises(RequestError, match="hf_overrides"):
        planned(hf_overrides=stated)


def test_an_override_that_is_not_read_stays_uncounted():
    made = planned(hf_overrides={"num_hidden_layers": 4})
    assert any("not counted in this plan: hf_overrides" in text for text in made.warnings)


@pytest.mark.parametrize(("model_type", "tokens"), [("llama", 2048), ("qwen3", 32768), ("kimi_linear", 4096)])
def test_a_config_without_a_context_takes_its_classs(model_type, tokens):
    """Class defaults: LlamaConfig, Qwen3Config of Transformers 5.19; vLLM's own KimiLinearConfig."""
    config = {name: value for name, value in TINY_LLAMA.items() if name != "max_position_embeddings"}
    assert max_length(config | {"model_type": model_type}) == tokens


def test_an_assumed_context_is_not_called_the_models_own():
    config = {name: value for name, value in TINY_LLAMA.items() if name != "max_position_embeddings"}
    known = embedded_model("Qwen/Qwen3-8B")
    assert not read_architecture(config).context_stated
    shapes = known.architecture.model_copy(update={"context_stated": False})
    made = plan_for(Request(model=known.id, gpu="H100"), known.model_copy(update={"architecture": shapes}))
    assert any("names no context: 40,960 tokens" in text for text in made.warnings)
    reason = next(one.reason for one in made.decisions if one.field == "max_model_len")
    assert "the model's own" not in reason


def test_the_refusal_says_whose_context_is_too_short():
    """The user's own limit, or what the model was trained with."""
    asked = Request(model="Qwen/Qwen3-8B", gpu="H100", source="embedded", prompt_tokens=1024)
    with pytest.raises(RequestError, match="max_model_len is 512"):
        plan_for(asked.model_copy(update={"overrides": {"max_model_len": 512}}), embedded_model("Qwen/Qwen3-8B"))
    request = asked.model_copy(update={"prompt_tokens": 50000})
    with pytest.raises(RequestError, match="the model's own context is 40,960"):
        plan_for(request, embedded_model("Qwen/Qwen3-8B"))
