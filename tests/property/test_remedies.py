"""A refusal that names a value to use is believed: planning again with it is not refused for the same argument."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import pytest

from generator.catalogue.models import embedded_model
from generator.errors import RequestError
from generator.models.request import Request
from generator.planning.layouts import layouts_of
from generator.planning.rules.checks import check_request
from generator.workflow import case_for

NAMED = re.compile(
    r"--set (?P<key>\w+)=(?P<set>\w+)"
    r"|--(?P<flag>[tp]\w+-parallel-size|kv-cache-dtype|dtype) (at )?(?P<value>(?!takes)\w+)"
)
"""A value that a refusal names, by either spelling of an argument that this law varies."""
ONE = {"tensor_parallel_size": 1, "pipeline_parallel_size": 1, "data_parallel_size": 1}
WHOLE = "enable_expert_parallel"
LAYOUTS = [
    {"tensor_parallel_size": tp, "pipeline_parallel_size": pp, **({WHOLE: whole} if tp * pp > 1 else {})}
    for tp, pp, whole in product((1, 3, 5, 6, 7, 8), (1, 3), (False, True))
]
CACHES = ("fp8", "fp8_e5m2", "nvfp4", "float16", "turboquant_k8v4", "int4_per_token_head")
VALUES: list[dict[str, Any]] = [
    *({"kv_cache_dtype": name} for name in CACHES),
    *({"dtype": name} for name in ("float16", "bfloat16", "float32")),
    {"kv_cache_dtype": "fp8", "attention_backend": "TRITON_ATTN"},
    {"decode_context_parallel_size": 2, "tensor_parallel_size": 8},
]
MODELS = {
    "MiniMaxAI/MiniMax-M2.5": "0.23.0", "Qwen/Qwen3-30B-A3B": "0.24.0", "openai/gpt-oss-20b": "0.33.0",
    "Qwen/Qwen3.5-27B": "0.33.0", "google/gemma-3-27b-it": "0.26.0", "Qwen/Qwen2.5-7B-Instruct": "0.20.2",
    "deepseek-ai/DeepSeek-V3": "0.30.0", "Qwen/Qwen2.5-72B-Instruct-AWQ": "0.28.0",
    "Qwen/Qwen3-235B-A22B-FP8": "0.21.0", "nvidia/MiniMax-M2.5-NVFP4": "0.23.0", "Qwen/Qwen3-VL-8B-Instruct": "0.32.0",
    "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4": "0.33.0", "Qwen/Qwen2.5-7B-Instruct-GPTQ-Int4": "0.33.0",
}  # fmt: skip


def answers(said: str) -> list[dict[str, Any]]:
    """The values of each alternative that a refusal names."""
    spoken = {"true": True, "false": False}
    found = [
        {
            (one["key"] or one["flag"]).replace("-", "_"): spoken.get(word := one["set"] or one["value"], word)
            for one in NAMED.finditer(part)
        }
        for part in said.split(", or ")
    ]
    return [
        {name: int(value) if str(value).isdigit() else value for name, value in one.items()} for one in found if one
    ]


def refusal(model: str, gpu: str, values: dict[str, Any]) -> str:
    """What the plan is refused with; empty where it is not."""
    request = Request(model=model, gpu=gpu, gpus=24, source="embedded", vllm=MODELS[model], overrides=ONE | values)
    try:
        case = case_for(request, embedded_model(model))
        check_request(case)
        layouts_of(case)
    except RequestError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("model", MODELS)
def test_a_named_value_is_not_refused_again(model):
    """Sizes of ranks and stages on H100, dtypes of model and cache on an A100 and a T4."""
    asked = [("H100", one) for one in LAYOUTS] + [(gpu, one) for gpu in ("A100-SXM-80GB", "T4") for one in VALUES]
    named = 0
    for gpu, values in asked:
        said = refusal(model, gpu, values)
        for remedy in answers(said):
            named += 1
            again = refusal(model, gpu, values | remedy)
            assert not {name for one in answers(again) for name in one} & remedy.keys(), (values, said, again)
            assert not again or remedy.keys() <= {"kv_cache_dtype", "dtype"}, (values, said, again)
    assert named
