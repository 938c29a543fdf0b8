"""Groups of compressed-tensors checkpoints against the schemes that releases of vLLM have."""

from __future__ import annotations

import pytest
from fixtures.checkpoints import declaring

from generator.catalogue.models import embedded_model
from generator.errors import RequestError
from generator.models.request import Request
from generator.workflow import plan_for

DENSE, MIXTURE = "meta-llama/Llama-3.1-8B-Instruct", "Qwen/Qwen3-30B-A3B"


def numbers(bits, kind="int", strategy="group", size=128, **others):
    """One tensor's part of a group, as LLM Compressor writes it."""
    return {"num_bits": bits, "type": kind, "strategy": strategy, "group_size": size, "symmetric": True} | others


def checkpoint(weights, inputs=None, packing="pack-quantized", targets=("Linear",), **others):
    """A quantization_config of one group."""
    group = {"targets": list(targets), "weights": weights, "input_activations": inputs}
    kept = {"quant_method": "compressed-tensors", "format": packing, "ignore": ["lm_head"]}
    return kept | {"config_groups": {"group_0": group}} | others


def asked(model, declared, release, gpu):
    """The request, and the facts of the model as if its checkpoint declared this."""
    return Request(model=model, gpu=gpu, source="embedded", vllm=release), declaring(model, declared)


CHANNEL, TENSOR = {"strategy": "channel", "size": None}, {"strategy": "tensor", "size": None}
TOKEN8 = numbers(8, strategy="token", size=None, dynamic=True)
TOKEN_FP8 = numbers(8, "float", strategy="token", size=None, dynamic=True)
STATIC8 = numbers(8, **TENSOR)
NVFP4 = numbers(4, "float", "tensor_group", 16)
MXFP4 = checkpoint(numbers(4, "float", size=32), None, "mxfp4-pack-quantized")
W8A8 = checkpoint(numbers(8, **CHANNEL), TOKEN8, "int-quantized")
W8A8_STATIC = checkpoint(STATIC8, STATIC8, "int-quantized")
W8A16 = checkpoint(numbers(8, "float", **CHANNEL), None, "float-quantized")
W4A8 = checkpoint(numbers(4), TOKEN_FP8)
W4A8_INT = checkpoint(numbers(4), TOKEN8)
FP8_STATIC = checkpoint(numbers(8, "float", **CHANNEL), numbers(8, "float", **TENSOR), "float-quantized")


@pytest.mark.parametrize(
    ("model", "declared", "release", "gpu", "lacks"),
    [
        (DENSE, checkpoint(numbers(4)), "0.20.2", "H100", ""),
        (DENSE, checkpoint(numbers(4, **TENSOR)), "0.33.0", "H100", "int4 by tensor, in pack-quantized"),
        (DENSE, checkpoint(numbers(3)), "0.23.0", "H100", "int3 by group of 128"),
        (DENSE, checkpoint(numbers(3)), "0.26.0", "H100", ""),
        (DENSE, checkpoint(numbers(3, symmetric=False)), "0.30.0", "H100", "int3 by group of 128 with zero points"),
        (DENSE, checkpoint(numbers(3, symmetric=False)), "0.31.0", "H100", ""),
        (DENSE, checkpoint(numbers(4), packing="dense"), "0.33.0", "H100", "in dense"),
        (DENSE, W8A8, "0.33.0", "H100", ""),
        (DENSE, W8A8, "0.33.0", "B200", "int8 by channel, inputs int8 by token"),
        (DENSE, W8A8, "0.23.0", "RTX-5090-32GB", "use a GPU of compute capability 7.x 8.0-8.9 9.x"),
        (DENSE, checkpoint(numbers(4, size=256)), "0.20.2", "T4", ""),
        (DENSE, W8A8_STATIC, "0.33.0", "H100", ""),
        (DENSE, checkpoint(numbers(8), TOKEN8, "int-quantized"), "0.33.0", "H100", "int8 by group of 128, inputs int8"),
        (DENSE, W4A8, "0.33.0", "H100", ""),
        (DENSE, W4A8, "0.33.0", "B200", "use a GPU of compute capability 9.0, or choose"),
        (DENSE, checkpoint(numbers(4, size=64), TOKEN_FP8), "0.33.0", "H100", "int4 by group of 64, inputs float8"),
        (DENSE, W4A8_INT, "0.23.0", "A100-SXM-80GB", "int4 by group of 128, inputs int8 by token"),
        (DENSE, W4A8_INT, "0.26.0", "H100", ""),
        (DENSE, W8A16, "0.33.0", "H100", ""),
        (DENSE, W8A16, "0.23.0", "H100", "use a GPU of compute capability 7.5-8.8, or choose"),
        (DENSE, W8A16, "0.23.0", "A100-SXM-80GB", ""),
        (DENSE, checkpoint(numbers(8, symmetric=False)), "0.20.2", "H100", ""),
        (DENSE, checkpoint(numbers(8, symmetric=False)), "0.23.0", "A100-SXM-80GB", "int8 by group of 128 with zero"),
        (DENSE, checkpoint(numbers(8, symmetric=False)), "0.26.0", "A100-SXM-80GB", ""),
        (DENSE, checkpoint(numbers(4, size=16)), "0.20.2", "H100", "int4 by group of 16"),
        (DENSE, checkpoint(numbers(4, size=16)), "0.23.0", "H100", ""),
        (DENSE, FP8_STATIC, "0.33.0", "H100", ""),
        (DENSE, checkpoint(numbers(8, "float"), TOKEN_FP8, "float-quantized"), "0.33.0", "H100", "float8 by group of"),
        (DENSE, checkpoint(NVFP4, TOKEN_FP8, "nvfp4-pack-quantized"), "0.33.0", "B200", "float4 by tensor group of 16"),
        (DENSE, checkpoint(NVFP4, NVFP4 | {"dynamic": "local"}, "nvfp4-pack-quantized"), "0.33.0", "B200", ""),
        (DENSE, MXFP4, "0.33.0", "T4", "use a GPU of compute capability 8.0[+]"),
        (MIXTURE, W8A8, "0.33.0", "H100", ""),
        (MIXTURE, W8A8_STATIC, "0.33.0", "H100", "mlp.experts.gate_proj .* int8 by tensor"),
        (MIXTURE, W8A16, "0.33.0", "H100", "mlp.experts.gate_proj .* float8 by channel, in float"),
        (MIXTURE, FP8_STATIC, "0.33.0", "H100", "float8 by channel, inputs float8 by tensor"),
        (MIXTURE, W4A8_INT, "0.33.0", "H100", "mlp.experts.gate_proj .* int4 by group of 128, inputs int8"),
        (MIXTURE, checkpoint(numbers(4, symmetric=False)), "0.20.2", "H100", "mlp.experts.gate_proj .* with zero poi"),
        (MIXTURE, checkpoint(numbers(4, symmetric=False)), "0.23.0", "H100", ""),
        (MIXTURE, checkpoint(numbers(8, symmetric=False)), "0.26.0", "H100", "mlp.experts.gate_proj .* int8 by group"),
        (MIXTURE, checkpoint(numbers(8)), "0.26.0", "H100", ""),
        (MIXTURE, checkpoint(numbers(4, **CHANNEL)), "0.33.0", "H100", "mlp.experts.gate_proj .* int4 by channel"),
        (MIXTURE, checkpoint(numbers(4, **CHANNEL)), "0.33.0", "A100-SXM-80GB", ""),
        (MIXTURE, checkpoint(numbers(8)), "0.28.0", "H100", "mlp.experts.gate_proj .* int8 by group"),
        (MIXTURE, checkpoint(numbers(8)), "0.29.0", "H100", ""),
    ],
)
def test_a_group_that_the_release_has_no_scheme_for_is_refused(model, declared, release, gpu, lacks):
    """VLLM: "No compressed-tensors compatible scheme was found", "Unsupported FusedMoe scheme", or an assertion."""
    request, facts = asked(model, declared, release, gpu)
    if not lacks:
        assert plan_for(request, facts).command
        return
    with pytest.raises(RequestError, match=f"has no scheme of compressed-tensors for .*{lacks}"):
        plan_for(request, facts)


@pytest.mark.parametrize(
    ("location", "ranks", "splits"), [("input", 2, False), ("weight_input", 2, True), ("output", 1, True)]
)
def test_rotations_while_serving_are_not_split(location, ranks, splits):
    """VLLM 0.33 compressed_tensors/transform/module.py:47; rotations of weights are folded into them."""
    transforms = {
        "config_groups": {"R1": {"type": "hadamard", "apply": [{"location": location, "targets": ["Linear"]}]}}
    }
    request, facts = asked(DENSE, checkpoint(numbers(4), transform_config=transforms), "0.33.0", "H100")
    request = request.model_copy(update={"gpus": ranks, "overrides": {"tensor_parallel_size": ranks}})
    if splits:
        assert plan_for(request, facts).feasibility.fits
        return
    with pytest.raises(RequestError, match="applies the checkpoint's transform_config on whole matrices alone"):
        plan_for(request, facts)


def test_experts_of_several_schemes_are_refused():
    """VLLM 0.33 compressed_tensors_moe.py:51 asks gate, up and down of the first expert."""
    four, eight = (
        {"weights": numbers(bits), "targets": targets} for bits, targets in ((4, ["Linear"]), (8, ["re:.*down_proj$"]))
    )
    declared = checkpoint(numbers(4)) | {"config_groups": {"a": eight, "b": four}}
    request, facts = asked(MIXTURE, declared, "0.33.0", "H100")
    with pytest.raises(RequestError, match="runs the projections of an expert in one scheme, and model"):
        plan_for(request, facts)
    request, facts = asked(DENSE, declared, "0.33.0", "H100")
    assert plan_for(request, facts).feasibility.fits


@pytest.mark.parametrize(
    ("cache", "release", "reads"),
    [
        (numbers(8, "float", **TENSOR), "0.33.0", True),
        (numbers(8, "float", strategy="attn_head", size=None), "0.33.0", True),
        (numbers(8, **TENSOR), "0.33.0", False),
        (numbers(8, **TENSOR), "0.23.0", True),
        (numbers(8, "float", **TENSOR, symmetric=False), "0.33.0", False),
        (numbers(8, "float", **CHANNEL), "0.23.0", False),
    ],
)
def test_scales_of_a_cache_that_the_release_does_not_read_are_refused(cache, release, reads):
    """VLLM 0.33 compressed_tensors.py: validate_kv_cache_scheme; 0.23 takes eight bits of any kind."""
    request, facts = asked(DENSE, checkpoint(numbers(4), kv_cache_scheme=cache), release, "H100")
    if reads:
        assert plan_for(request, facts).feasibility.fits
        return
    with pytest.raises(RequestError, match="which the checkpoint's kv_cache_scheme asks for"):
        plan_for(request, facts)


@pytest.mark.parametrize(
    ("declared", "own", "doubted"),
    [
        (checkpoint(numbers(4)), {"linear_backend": "cutlass"}, True),
        (checkpoint(numbers(4)), {"kernel_config": {"linear_backend": "conch"}}, True),
        (checkpoint(numbers(4)), {"linear_backend": "auto"}, False),
        (None, {"linear_backend": "cutlass"}, False),
    ],
)
def test_kernels_of_linear_layers_that_the_user_names_are_doubted(declared, own, doubted):
    """VLLM 0.33 refuses CUTLASS for four bits of weights alone, and passes it over for 16 bits."""
    request, facts = asked(DENSE, declared, "0.33.0", "H100") if declared else (None, embedded_model(DENSE))
    request = request or Request(model=DENSE, gpu="H100", source="embedded", vllm="0.33.0")
    starts = plan_for(request.model_copy(update={"overrides": own}), facts).feasibility.starts
    assert ("linear_backend is yours" in starts.why) is doubted


@pytest.mark.parametrize(("release", "reads"), [("0.22.1", False), ("0.23.0", True)])
def test_a_quantized_embedding_is_read_by_releases_that_build_it(release, reads):
    """VLLM 0.22.1 compressed_tensors.py builds it in 16 bits, so that the checkpoint's tensors find no place."""
    declared = checkpoint(numbers(4), targets=("Linear", "Embedding"))
    request, facts = asked(DENSE, declared, release, "H100")
    if reads:
        assert plan_for(request, facts).feasibility.fits
        return
    with pytest.raises(RequestError, match=r"no quantized embedding of compressed-tensors: pin vLLM 0\.23"):
        plan_for(request, facts)
