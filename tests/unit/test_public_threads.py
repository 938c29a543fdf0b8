"""Starts that public threads of vLLM tell of: each refused where the release ends, and planned on the other side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from generator.catalogue.models import embedded_model
from generator.errors import RequestError
from generator.models.request import Request
from generator.sources.architectures import read_quantization
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
    """gpt-oss ends in a KeyError of w2_bias where create_weights registers none (vllm#46641); a mixture without runs."""
    facts = stored_as("openai/gpt-oss-20b", declared)
    request = asked(facts, gpu, release)
    if starts:
        assert plan_for(request, facts).feasibility.fits
    else:
        refused(request, facts, "has no place for the biases of this model's experts")
    bare = stored_as("Qwen/Qwen3-30B-A3B", declared)
    assert plan_for(asked(bare, gpu, release), bare).feasibility.fits
