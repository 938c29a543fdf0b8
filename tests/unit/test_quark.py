"""Quark's checkpoints: FP8 of all layers alike is planned, on GPUs that multiply it; the rest is named."""

from __future__ import annotations

import pytest
from fixtures.checkpoints import declaring

from generator.errors import RequestError, UnknownFactError
from generator.models.request import Request
from generator.sources.architectures import read_quantization
from generator.workflow import plan_for

DENSE, MIXTURE = "meta-llama/Llama-3.1-8B-Instruct", "Qwen/Qwen3-30B-A3B"


def spec(scheme="per_tensor", dtype="fp8_e4m3", **others):
    """One tensor's spec, as Quark writes it."""
    return {"dtype": dtype, "qscheme": scheme, "is_dynamic": False, "symmetric": True} | others


def quark(weight, inputs, **others):
    """A quantization_config of Quark."""
    everywhere = {"weight": weight, "input_tensors": inputs, "output_tensors": None, "bias": None}
    export = {"kv_cache_group": [], "pack_method": "reorder"}
    kept = {"quant_method": "quark", "global_quant_config": everywhere, "export": export, "exclude": ["lm_head"]}
    return kept | {"layer_quant_config": {}, "layer_type_quant_config": {}} | others


TENSOR, TOKEN = quark(spec(), spec()), quark(spec("per_channel"), spec("per_channel", is_dynamic=True))
MXFP4 = quark(spec("per_group", "fp4", group_size=32), spec("per_group", "fp4", group_size=32, is_dynamic=True))


@pytest.mark.parametrize("model", [DENSE, MIXTURE])
@pytest.mark.parametrize("declared", [TENSOR, TOKEN])
@pytest.mark.parametrize("release", ["0.20.2", "0.33.0"])
def test_fp8_takes_a_byte_a_weight(model, declared, release):
    """As many as `fp8` does, but for scales; the judge starts all of them on an H100."""
    request = Request(model=model, gpu="H100", source="embedded", vllm=release)
    found = plan_for(request, declaring(model, declared)).memory.weights_bytes.expected
    other = declaring(
        model, {"quant_method": "fp8", "activation_scheme": "static", "modules_to_not_convert": ["lm_head"]}
    )
    assert found == pytest.approx(plan_for(request, other).memory.weights_bytes.expected, rel=4e-3)


def test_fp8_wants_a_gpu_that_multiplies_it():
    """VLLM 0.33: "Quantization scheme is not supported for the current GPU. Min capability: 89"."""
    request = Request(model=DENSE, gpu="A100-SXM-80GB", source="embedded")
    with pytest.raises(RequestError, match=r"no scheme of Quark for .* float8 by tensor.* compute capability 8\.9[+]"):
        plan_for(request, declaring(DENSE, TENSOR))


def test_caches_by_layer_are_no_other_format():
    """Quark says a cache's scales as outputs of layers whose weights are the rest's (quark.py: from_config)."""
    kept = {"weight": spec(), "input_tensors": spec(), "output_tensors": spec()}
    assert read_quantization({"quantization_config": TENSOR | {"layer_quant_config": {"*k_proj": kept}}}).bits == 8


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        (MXFP4, r"weights in fp4 \(per_group\), inputs in fp4 are not planned, FP8 by tensor or by channel is"),
        (quark(spec(), None), "inputs in 16 bits"),
        (TENSOR | {"layer_quant_config": {"*down_proj": {"weight": spec(dtype="int8")}}}, "stored in several ways"),
    ],
)
def test_other_formats_are_named(declared, said):
    """What to do instead is said."""
    with pytest.raises(UnknownFactError, match=said):
        read_quantization({"quantization_config": declared})


def test_a_checkpoint_of_quark_says_how_it_was_exported():
    """VLLM 0.20.2 to 0.33.0 quark.py: "The export key should be included"."""
    with pytest.raises(LookupError, match="export of quark is missing"):
        read_quantization({"quantization_config": {name: it for name, it in TENSOR.items() if name != "export"}})
