"""Repairs: each is proven, none is refused by vLLM, and the least intrusive comes first."""

from __future__ import annotations

import pytest

from generator.catalogue.models import embedded_model
from generator.models.request import Request
from generator.workflow import plan_for


def planned(model, gpu, gpus=1, **stated):
    return plan_for(Request(model=model, gpu=gpu, gpus=gpus, source="embedded", **stated), embedded_model(model))


def flags(made):
    return [" ".join(one.flags) for one in made.repairs]


def test_a_plan_that_fits_has_no_repairs():
    assert planned("Qwen/Qwen3-8B", "H100-SXM-80GB").repairs == ()


def test_a_context_that_is_too_long_is_shortened_first():
    made = planned("Qwen/Qwen3-8B", "L4-24GB", overrides={"max_model_len": 40960})
    assert made.feasibility.verdict == "does_not_fit"
    first = made.repairs[0]
    assert first.flags == ("--max-model-len", "32768")
    assert first.effect.startswith(("fits: context 32,768", "tight: context 32,768"))
    assert planned("Qwen/Qwen3-8B", "L4-24GB", overrides={"max_model_len": 32768}).feasibility.fits


def test_the_cache_may_be_stored_smaller_where_the_gpu_can():
    made = planned("Qwen/Qwen3-8B", "L4-24GB", overrides={"max_model_len": 40960})
    assert "--kv-cache-dtype fp8" in flags(made)
    old = planned("Qwen/Qwen3-8B", "A10-24GB", overrides={"max_model_len": 40960})
    assert "--kv-cache-dtype fp8" not in flags(old)


def test_a_utilization_of_the_users_that_is_too_low_is_given_back():
    made = planned("Qwen/Qwen3-8B", "H100-SXM-80GB", overrides={"gpu_memory_utilization": 0.15})
    assert "--set gpu_memory_utilization=null" in flags(made)


def test_a_layout_of_the_users_that_is_too_small_is_given_back():
    sizes = {"tensor_parallel_size": 1, "pipeline_parallel_size": 1}
    made = planned("meta-llama/Llama-3.1-70B-Instruct", "H100-SXM-80GB", 4, overrides=sizes)
    assert "--set tensor_parallel_size=null --set pipeline_parallel_size=null" in flags(made)


@pytest.mark.parametrize(
    ("model", "gpu", "wanted"),
    [
        ("meta-llama/Llama-3.1-70B-Instruct", "H100-SXM-80GB", "--gpus 2"),
        ("meta-llama/Llama-3.1-70B-Instruct", "H100-SXM-80GB", "--quantization fp8"),
        ("Qwen/Qwen3-32B", "L4-24GB", "--gpus 4"),
    ],
)
def test_fewer_bytes_or_more_gpus_are_offered(model, gpu, wanted):
    made = planned(model, gpu)
    assert wanted in flags(made)
    assert len(made.repairs) <= 5


def test_another_gpu_has_the_least_memory_that_does():
    """70.6 billion bf16 parameters are 131 GiB: the GPUs of 141 GB are the first to hold them."""
    made = planned("meta-llama/Llama-3.1-70B-Instruct", "H100-SXM-80GB")
    other = next(one for one in made.repairs if one.flags[0] == "--gpu")
    assert "141GB" in other.flags[1] or "144GB" in other.flags[1]
