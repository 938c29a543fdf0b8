"""AutoRound's checkpoints: formats by module, and what releases of vLLM have no scheme for."""

from __future__ import annotations

import pytest
from fixtures.checkpoints import declaring

from generator.errors import RequestError, UnknownFactError
from generator.models.request import Request
from generator.sources.architectures import read_quantization
from generator.workflow import plan_for

DENSE, MIXTURE = "meta-llama/Llama-3.1-8B-Instruct", "Qwen/Qwen3-30B-A3B"
INT4 = {"quant_method": "auto-round", "bits": 4, "group_size": 128, "sym": True, "data_type": "int"}
AWQ, MX = {"packing_format": "auto_round:auto_awq"}, {"data_type": "mx_fp", "group_size": 32}
NVFP4 = {"data_type": "nv_fp", "group_size": 16, "packing_format": "auto_round:llm_compressor"}
DOWN, Q = "model.layers.0.mlp.down_proj", "model.layers.0.self_attn.q_proj"


def asked(model, declared, release):
    """The request, and the facts of the model as if its checkpoint declared this."""
    return Request(model=model, gpu="H100", source="embedded", vllm=release), declaring(model, declared)


@pytest.mark.parametrize(
    ("model", "own", "release", "lacks"),
    [
        (DENSE, {}, "0.20.2", ""),
        (DENSE, {"bits": 8}, "0.33.0", ""),
        (DENSE, {"sym": False}, "0.33.0", "int4 by group of 128 with zero points"),
        (DENSE, {"sym": False} | AWQ, "0.33.0", ""),
        (DENSE, {"bits": 8, "sym": False} | AWQ, "0.33.0", "int8 by group of 128 with zero points"),
        (DENSE, {"group_size": 256}, "0.33.0", "int4 by group of 256"),
        (DENSE, {"group_size": 256}, "0.20.2", ""),
        (DENSE, {"bits": 2}, "0.23.0", "int2 by group of 128"),
        (DENSE, {"bits": 2}, "0.30.0", ""),
        (DENSE, MX, "0.26.0", "mx_fp4 by group of 32"),
        (DENSE, MX, "0.27.0", ""),
        (DENSE, MX | {"packing_format": "auto_round:auto_gptq"}, "0.33.0", "mx_fp4 by group of 32"),
        (DENSE, NVFP4, "0.33.0", "nv_fp4 by group of 16"),
        (DENSE, {"bits": 8, "data_type": "fp", "group_size": -1}, "0.33.0", "fp8 by channel"),
        (DENSE, {"bits": 8, "data_type": "fp", "group_size": [128, 128]}, "0.33.0", ""),
        (DENSE, {"bits": 8, "data_type": "fp", "group_size": [128, 128]}, "0.28.0", "fp8 by block"),
        (DENSE, {"extra_config": {DOWN: {"bits": 3}}}, "0.23.0", "mlp.down_proj .* int3"),
        (DENSE, {"extra_config": {DOWN: {"bits": 8}}}, "0.23.0", ""),
        (MIXTURE, {}, "0.33.0", ""),
        (MIXTURE, MX | {"bits": 8}, "0.28.0", "mlp.experts.gate_proj .* mx_fp8"),
        (MIXTURE, MX | {"bits": 8}, "0.29.0", ""),
    ],
)
def test_what_the_release_has_no_scheme_for_is_refused(model, own, release, lacks):
    """VLLM 0.33 inc/inc.py: SUPPORTED_DTYPES and its assertions, inc/schemes: no kernel is left."""
    request, facts = asked(model, INT4 | own, release)
    if not lacks:
        assert plan_for(request, facts).command
        return
    with pytest.raises(RequestError, match=f"has no scheme of AutoRound for .*{lacks}"):
        plan_for(request, facts)


@pytest.mark.parametrize("own", [{"bits": 8}, {"bits": 16}, {"group_size": 32}])
def test_projections_that_vllm_merges_are_quantized_alike(own):
    """VLLM 0.33 inc/config_parser.py: "requires consistent quant config"."""
    request, facts = asked(DENSE, INT4 | {"extra_config": {Q: own}}, "0.33.0")
    with pytest.raises(RequestError, match=r"merges the projections of model\.layers\.0\.self_attn\.qkv_proj"):
        plan_for(request, facts)


def test_an_override_has_its_own_bits():
    """A layer of 8 bits takes its bytes, one of 16 is left alone, an expression is found anywhere in a name."""
    plain, wider = (
        plan_for(*asked(DENSE, INT4 | {"extra_config": {r".*\.mlp\.down_proj": own}}, "0.33.0")).memory.weights_bytes
        for own in ({}, {"bits": 8})
    )
    weights = 32 * 4096 * 14336
    assert wider.expected - plain.expected == (weights + weights // 128) // 2
    kept = read_quantization({"quantization_config": INT4 | {"extra_config": {DOWN: {"bits": 16}}}})
    assert kept.rules[0].format is None
    passed_over = read_quantization({"quantization_config": INT4 | {"extra_config": {"(": {"bits": 8}}}})
    assert passed_over == read_quantization({"quantization_config": INT4})


def test_a_backend_that_no_release_takes_is_unknown():
    """VLLM 0.20.2 to 0.33.0 inc.py: SUPPORTED_BACKENDS; AutoRound 0.4 wrote others."""
    with pytest.raises(UnknownFactError, match="backend 'auto_round:gptq:exllamav2' of AutoRound is none"):
        read_quantization({"quantization_config": INT4 | {"backend": "auto_round:gptq:exllamav2"}})
