"""Starts that public threads of vLLM tell of: each refused where the release ends, and planned on the other side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from generator.catalogue.models import embedded_model
from generator.errors import RequestError, UnsupportedArchitectureError
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


def test_a_draft_without_experts_beside_spread_ones():
    """VLLM 0.30.0 config/speculative.py:1757 copies enable_expert_parallel, 0.31.0 :1767 asks for experts."""
    spoken = {"method": "draft_model", "model": "Qwen/Qwen3-0.6B", "num_speculative_tokens": 3}
    own = {"tensor_parallel_size": 4, "speculative_config": spoken}
    facts = embedded_model("Qwen/Qwen3-30B-A3B")
    facts = facts.model_copy(update={"draft": embedded_model("Qwen/Qwen3-0.6B")})
    for release in ("0.29.0", "0.31.0"):
        spread = asked(facts, "H100", release, gpus=4, overrides=own | {"enable_expert_parallel": True})
        assert plan_for(spread, facts).layout.enable_expert_parallel
    for whole in ({"enable_expert_parallel": False}, {}):
        kept = asked(facts, "H100", "0.30.0", gpus=4, overrides=own | whole)
        assert not plan_for(kept, facts).layout.enable_expert_parallel
    spread = asked(facts, "H100", "0.30.0", gpus=4, overrides=own | {"enable_expert_parallel": True})
    refused(spread, facts, "asks the draft Qwen/Qwen3-0.6B for experts")
    mixture = facts.model_copy(update={"id": "a/b", "draft": None})
    both = own | {"enable_expert_parallel": True, "speculative_config": spoken | {"model": mixture.id}}
    facts = facts.model_copy(update={"draft": mixture})
    assert plan_for(asked(facts, "H100", "0.30.0", gpus=4, overrides=both), facts).layout.enable_expert_parallel


@pytest.mark.parametrize(
    ("release", "gpu", "tp", "whole", "starts"),
    [
        ("0.24.0", "H100", 4, False, "refused"),
        ("0.25.1", "H100", 4, False, "yes"),
        ("0.24.0", "H100", 4, True, "yes"),
        ("0.24.0", "H100", 2, False, "yes"),
        ("0.24.0", "A100-SXM-80GB", 4, False, "doubtful"),
        ("0.25.1", "A100-SXM-80GB", 4, False, "yes"),
    ],
)
def test_blocks_that_are_made_while_loading_are_whole(release, gpu, tp, whole, starts):
    """768 channels are six blocks of 128, 192 of a rank are not (vllm#44763); Marlin's kernels are not Python's."""
    facts = embedded_model("Qwen/Qwen3-30B-A3B")
    own = {"quantization": "fp8_per_block", "tensor_parallel_size": tp, "enable_expert_parallel": whole}
    request = asked(facts, gpu, release, gpus=tp, overrides=own)
    if starts == "refused":
        refused(
            request, facts, "ends where a rank's are 192 channels wide: add --enable-expert-parallel, pin vLLM 0.25"
        )
    else:
        assert plan_for(request, facts).feasibility.starts.answer == starts


@pytest.mark.parametrize(
    ("model", "release", "starts"),
    [
        ("google/gemma-4-26B-A4B", "0.26.0", True),
        ("google/gemma-4-26B-A4B", "0.27.0", False),
        ("google/gemma-4-26B-A4B", "0.27.1", False),
        ("google/gemma-4-26B-A4B", "0.28.0", True),
        ("google/gemma-3-27b-it", "0.27.1", True),
    ],
)
def test_the_transformers_of_the_image_gives_one_head_size(model, release, starts):
    """Transformers 5.15.0 in the images of 0.27 refuses `head_dim` of layers that differ (vllm#51744, vllm#52768)."""
    facts = embedded_model(model)
    if starts:
        assert plan_for(asked(facts, "H100", release), facts).feasibility.fits
    else:
        refused(asked(facts, "H100", release), facts, r"Transformers 5\.15\.0 in its image refuses that")


INT4 = {"type": "int", "num_bits": 4, "strategy": "group", "group_size": 32, "symmetric": True}
PACKED = {
    "quant_method": "compressed-tensors", "format": "pack-quantized", "ignore": ["lm_head"],
    "config_groups": {"group_0": {"targets": ["Linear"], "weights": INT4}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("model", "release", "answer"),
    [
        ("google/gemma-4-26B-A4B", "0.19.1", "doubtful"),
        ("google/gemma-4-26B-A4B", "0.20.2", "yes"),
        ("Qwen/Qwen3-30B-A3B", "0.19.1", "yes"),
    ],
)
def test_experts_that_are_packed_together_are_doubted(model, release, answer):
    """Whether they are one tensor a layer config.json does not say: vLLM 0.19.1 loads no such (vllm#40591)."""
    facts = stored_as(model, PACKED)
    assert plan_for(asked(facts, "H100", release), facts).feasibility.starts.answer == answer


@pytest.mark.parametrize(
    ("gpu", "release", "answer"), [("GB10", "0.25.1", "yes"), ("GB10", "0.26.0", "doubtful"), ("H100", "0.26.0", "yes")]
)
def test_a_draft_at_once_is_doubted_where_one_was_seen_to_fail(gpu, release, answer):
    """A report of 0.26.0 on a GB10 (vllm#50707); others ran on one in 0.25.1."""
    facts, engine = drafting()
    told = plan_for(asked(facts, gpu, release, overrides=engine), facts).feasibility.starts
    assert ("vllm#50707" in told.why) == (answer == "doubtful")


HEAD_OF_WEIGHTS = NVFP4 | {"quant_algo": "MIXED_PRECISION", "quantized_layers": {"lm_head": {"quant_algo": "FP8"}}}
LAYER_OF_WEIGHTS = HEAD_OF_WEIGHTS | {
    "quantized_layers": {f"model.layers.{n}.mlp.down_proj": {"quant_algo": "W4A16_NVFP4"} for n in range(36)}
}


@pytest.mark.parametrize(
    ("declared", "release", "said"),
    [
        (HEAD_OF_WEIGHTS, "0.22.1", "reads no quantized lm_head of ModelOpt: pin vLLM 0.23"),
        (HEAD_OF_WEIGHTS, "0.23.0", ""),
        (LAYER_OF_WEIGHTS, "0.21.0", "does not know ModelOpt's W4A16_NVFP4: pin vLLM 0.22"),
        (LAYER_OF_WEIGHTS, "0.22.1", ""),
        (NVFP4 | {"quant_algo": "W4A16_NVFP4"}, "0.21.0", ""),
    ],
)
def test_mixtures_of_modelopt_are_read_from_the_release_that_asks_for_them(declared, release, said):
    """VLLM 0.21.0 to 0.23.0 modelopt.py: get_quant_method of a mixture (vllm#44081, vllm#45102)."""
    facts = stored_as("Qwen/Qwen3-8B", declared)
    if said:
        refused(asked(facts, "H100", release), facts, said)
    else:
        assert plan_for(asked(facts, "H100", release), facts).feasibility.fits


def test_a_release_without_heads_of_a_method_says_so():
    """VLLM 0.19.1 has no DFlash: no list of classes is named, which would be empty."""
    facts, engine = drafting()
    refused(asked(facts, "H100", "0.19.1", overrides=engine), facts, "builds no head that drafts by dflash, as z-lab/")
    assert plan_for(asked(facts, "H100", "0.20.2", overrides=engine), facts).feasibility.fits


@pytest.mark.parametrize("trusted", [False, True])
def test_consent_brings_no_code_that_config_json_does_not_name(trusted):
    """A model_type that nobody knows needs auto_map, whatever is trusted (0.33 transformers_utils/config.py)."""
    facts = embedded_model("Qwen/Qwen3-8B")
    stranger = facts.architecture.model_copy(update={"model_type": "nobodys_own"})
    without = facts.model_copy(update={"architecture": stranger, "custom_code": False})
    with pytest.raises(UnsupportedArchitectureError, match=r"names no code of its own \(auto_map\)"):
        plan_for(asked(without, "H100", "0.33.0", trust_remote_code=trusted), without)
    named = without.model_copy(update={"custom_code": True})
    if trusted:
        assert plan_for(asked(named, "H100", "0.33.0", trust_remote_code=True), named).feasibility.fits
    else:
        refused(asked(named, "H100", "0.33.0"), named, "add --trust-remote-code")


def test_expert_parallelism_that_nobody_asked_for_is_said_where_it_is_needed():
    """MiniMax-M2.5 in FP8 over eight ranks cuts its blocks without, and starts with it; four ranks need none."""
    facts = embedded_model("MiniMaxAI/MiniMax-M2.5")
    for size, needed in ((8, True), (4, False)):
        made = plan_for(asked(facts, "H200", "0.23.0", gpus=size, overrides={"tensor_parallel_size": size}), facts)
        assert any("nobody asked for" in text and "quantization scale" in text for text in made.advisories) == needed
