"""Starts that public threads of vLLM tell of: each refused where the release ends, and planned on the other side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from generator.catalogue.models import embedded_model
from generator.errors import RequestError
from generator.models.request import Request
from generator.sources.architectures import read_architecture, read_quantization
from generator.workflow import plan_for

if TYPE_CHECKING:
    from generator.models.checkpoint import ModelFacts


def stored_as(model: str, declared: dict[str, Any]) -> ModelFacts:
    """An embedded model whose checkpoint is quantized as its config.json would declare."""
    facts = embedded_model(model)
    own = read_quantization({"quantization_config": declared})
    return facts.model_copy(update={"checkpoint": facts.checkpoint.model_copy(update={"quantization": own})})


def asked(facts: ModelFacts, gpu: str, vllm: str, **more: Any) -> Request:
    """A request for the model by what the test states."""
    return Request(model=facts.id, gpu=gpu, source="embedded", vllm=vllm, **more)


def refused(request: Request, facts: ModelFacts, said: str) -> None:
    """The plan is refused with these words."""
    with pytest.raises(RequestError, match=said):
        plan_for(request, facts)


NVFP4 = {"quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": ["lm_head"], "producer": {"name": "modelopt"}}
FP8 = {"quant_method": "fp8", "activation_scheme": "dynamic"}
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 32, "desc_act": False, "sym": True}
CHANNELS = {"type": "int", "num_bits": 8, "strategy": "channel", "symmetric": True}
TOKENS = {"type": "int", "num_bits": 8, "strategy": "token", "symmetric": True, "dynamic": True}
INT8 = {
    "quant_method": "compressed-tensors", "format": "int-quantized", "ignore": ["lm_head"],
    "config_groups": {"group_0": {"targets": ["Linear"], "weights": CHANNELS, "input_activations": TOKENS}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("declared", "gpu", "release", "starts"),
    [
        (NVFP4, "B200", "0.23.0", False),
        (NVFP4, "B200", "0.33.0", False),
        (NVFP4, "H100", "0.33.0", False),
        (FP8, "H100", "0.23.0", True),
        (FP8, "H100", "0.33.0", True),
        (GPTQ, "H100", "0.26.0", False),
        (GPTQ, "H100", "0.27.1", True),
        (INT8, "H100", "0.28.0", False),
        (INT8, "H100", "0.29.0", True),
    ],
)
def test_biases_of_experts_need_a_place(declared, gpu, release, starts):
    """gpt-oss ends in a KeyError of w2_bias where create_weights registers none (vllm#46641); others have none."""
    facts = stored_as("openai/gpt-oss-20b", declared)
    request = asked(facts, gpu, release)
    if starts:
        assert plan_for(request, facts).feasibility.fits
    else:
        refused(request, facts, "has no place for the biases of this model's experts")
    bare = stored_as("Qwen/Qwen3-30B-A3B", declared)
    assert plan_for(asked(bare, gpu, release), bare).feasibility.fits


HEAD = {
    "architectures": ["DFlashDraftModel"], "model_type": "qwen3", "num_hidden_layers": 2, "hidden_size": 4096,
    "intermediate_size": 12288, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
    "vocab_size": 151936, "max_position_embeddings": 40960, "dflash_config": {"target_layer_ids": [1, 9, 17]},
    "tie_word_embeddings": False, "sliding_window": 2048,
}  # fmt: skip


def drafting(kinds: tuple[str, ...] = (), **engine: Any) -> tuple[ModelFacts, dict[str, Any]]:
    """Qwen3-8B with a DFlash draft of two layers of these kinds, and the engine values that draft with it."""
    target = embedded_model("Qwen/Qwen3-8B")
    own = HEAD | ({"layer_types": list(kinds)} if kinds else {})
    head = target.model_copy(update={"id": "z-lab/Qwen3-8B-DFlash", "architecture": read_architecture(own)})
    spoken = {"method": "dflash", "model": head.id, "num_speculative_tokens": 8}
    return target.model_copy(update={"draft": head}), engine | {"speculative_config": spoken}


@pytest.mark.parametrize(
    ("gpu", "release", "dtype", "starts"),
    [
        ("A100-SXM-80GB", "0.23.0", "fp8", False),
        ("A100-SXM-80GB", "0.23.0", "auto", True),
        ("A100-SXM-80GB", "0.24.0", "fp8", True),
        ("H100", "0.23.0", "fp8", True),
        ("H100", "0.23.0", "fp8_e5m2", False),
        ("H100", "0.24.0", "fp8_e5m2", True),
        ("L40S", "0.20.2", "fp8", False),
        ("B200", "0.20.2", "fp8", False),
        ("B200", "0.24.0", "fp8", True),
    ],
)
def test_drafts_at_once_need_a_backend_that_is_not_causal(gpu, release, dtype, starts):
    """Until 0.23 FlashAttention and FlexAttention alone are (vllm#41559), and they read FP8 on Hopper alone."""
    facts, engine = drafting(kv_cache_dtype=dtype)
    request = asked(facts, gpu, release, overrides=engine)
    if starts:
        assert plan_for(request, facts).feasibility.fits
    else:
        refused(request, facts, "of layers that draft at once here .*non-causal attention not supported")
    plain = asked(facts, gpu, release, overrides={"kv_cache_dtype": dtype if gpu != "H100" else "fp8"})
    assert plan_for(plain, facts).feasibility.fits


@pytest.mark.parametrize(("release", "starts"), [("0.20.2", False), ("0.21.0", True), ("0.33.0", True)])
def test_a_draft_at_once_has_a_backend_of_its_own(release, starts):
    """VLLM 0.20.2 selector.py:85 asks the named one about every layer; 0.21.0 chooses the draft's by itself."""
    facts, engine = drafting(attention_backend="TRITON_ATTN")
    request = asked(facts, "A100-SXM-80GB", release, overrides=engine)
    if starts:
        assert plan_for(request, facts).feasibility.fits
    else:
        refused(request, facts, "attention_backend TRITON_ATTN does not take .*non-causal attention not supported")


@pytest.mark.parametrize(
    ("kinds", "release", "starts"),
    [
        (("full_attention", "sliding_attention"), "0.24.0", True),
        (("full_attention", "sliding_attention"), "0.25.1", False),
        (("full_attention", "sliding_attention"), "0.26.0", True),
        (("sliding_attention", "sliding_attention"), "0.25.1", True),
    ],
)
def test_a_draft_at_once_has_windows_in_all_layers_or_none(kinds, release, starts):
    """VLLM 0.25.1 qwen3_dflash.py:90 (vllm#40898)."""
    facts, engine = drafting(kinds)
    request = asked(facts, "H100", release, overrides=engine)
    if starts:
        assert plan_for(request, facts).feasibility.fits
    else:
        refused(request, facts, "with sliding windows in some layers alone")
