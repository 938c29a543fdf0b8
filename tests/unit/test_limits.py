"""Limits of one engine: sequences, tokens, context, and the reasons that go with them."""

from __future__ import annotations

import pytest
from strategies import case_of

from generator.catalogue.models import embedded_model
from generator.models.hardware import Cluster
from generator.models.parallelism import Layout
from generator.models.request import Request
from generator.models.workload import Workload
from generator.planning.defaults import BatchLimits
from generator.planning.limits import (
    Least,
    context_limit,
    fits,
    longest_common_context,
    longest_context,
    sequence_limit,
    token_limit,
    utilization_reason,
)
from generator.units import GIB
from generator.workflow import plan_for

BYTES_PER_TOKEN = 147_456
"""Qwen3-8B, bf16: 36 layers x 2 x 8 heads x 128 x 2 bytes; vLLM logs 144 KiB a token."""
MODEL_CONTEXT = 40_960


def load(**changes):
    return Workload(**({"prompt_tokens": 1024, "gen_tokens": 1024, "concurrency": 16} | changes))


@pytest.fixture(scope="module")
def cache():
    case = case_of("Qwen/Qwen3-8B", "H100-SXM-80GB")
    return case.replica(Layout(), BatchLimits(256, 8192)).cache


def pool(tokens):
    """A pool of so many tokens, and one block for vLLM itself."""
    return ((tokens + 16) * BYTES_PER_TOKEN,)


@pytest.mark.parametrize(
    ("room", "concurrency", "limit"),
    [(1, 16, 16), (2, 16, 32), (2, 3, 8), (2, 1000, 256)],
)
def test_sequences_leave_room_for_a_peak_up_to_vllms_default(room, concurrency, limit):
    found = sequence_limit(load(concurrency=concurrency), 256, room)
    assert found.value == limit
    assert (f"{concurrency:,}" in found.decision.reason) == (limit < 256)


@pytest.mark.parametrize(
    ("wanted", "sequences", "tokens", "reason"),
    [
        (8192, 32, 8192, "vLLM's default for this GPU"),
        (2048, 32, 2048, "for the sake of memory"),
        (2048, 4096, 4096, "at least max_num_seqs (4096)"),
    ],
)
def test_tokens_of_a_step(wanted, sequences, tokens, reason):
    found = token_limit(wanted, sequences, 8192, Least())
    assert found.value == tokens
    assert reason in found.decision.reason


def test_a_pool_that_holds_all_gives_the_models_context(cache):
    roomy = pool(MODEL_CONTEXT + 16 * 2048)
    found = context_limit(load(), MODEL_CONTEXT, cache, (roomy, roomy), 256)
    assert found.value == MODEL_CONTEXT
    assert found.decision.reason.startswith("the model's own context")
    assert "beside 15 requests of 2,048 tokens" in found.decision.reason


def test_a_smaller_pool_gives_the_longest_beside_the_rest(cache):
    few = load(concurrency=4)
    found = context_limit(few, MODEL_CONTEXT, cache, (pool(3 * 2048 + 20_480 + 16), pool(10**6)), 256)
    assert found.value == 20_480
    assert "beside 3 requests of 2,048 tokens, even at the high end" in found.decision.reason
    assert "the model's own is 40,960" in found.decision.reason


def test_a_crowded_pool_gives_one_request_its_half(cache):
    for tokens, longest in ((15 * 2048 + 4096 + 16, 17_408), (8192, 3072)):
        found = context_limit(load(), MODEL_CONTEXT, cache, (pool(tokens), pool(tokens)), 256)
        assert found.value == longest
        assert "in half of the pool" in found.decision.reason


def test_a_pool_of_little_more_than_one_request_gives_the_workloads_length(cache):
    found = context_limit(load(), MODEL_CONTEXT, cache, (pool(3000), pool(4096)), 256)
    assert found.value == 2048
    assert "more than half of the pool each, even at the high end" in found.decision.reason


def test_the_expected_pool_is_the_second_resort(cache):
    found = context_limit(load(), MODEL_CONTEXT, cache, (pool(1024), pool(8192)), 256)
    assert found.value == 3072
    assert "at the expected values" in found.decision.reason


def test_a_larger_pool_gives_no_shorter_context(cache):
    pools = [pool(tokens) for tokens in range(2048, 100_000, 1500)]
    found = [int(context_limit(load(), MODEL_CONTEXT, cache, (one, one), 256).value) for one in pools]
    assert found == sorted(found)
    assert len(set(found)) > 20


def test_a_pool_that_holds_no_request_still_plans_the_workloads_length(cache):
    found = context_limit(load(prompt_tokens=1500), MODEL_CONTEXT, cache, ((0,), (0,)), 256)
    assert found.value == 3072
    assert found.decision.reason == "one request of the workload, nothing more"


def test_lengths_of_the_pool(cache):
    assert longest_context(load(), MODEL_CONTEXT, cache, pool(8192), 0) == 8192
    assert longest_context(load(), MODEL_CONTEXT, cache, (0,), 0) == 0
    assert longest_common_context(4, MODEL_CONTEXT, cache, pool(4 * 4096)) == 4096
    assert longest_common_context(4, MODEL_CONTEXT, cache, (0,)) == 0
    assert fits(cache, cache.num_blocks(pool(4096)), 4096, 0, 0)
    assert not fits(cache, cache.num_blocks(pool(4096)), 4112, 0, 0)


def test_the_reason_of_the_utilization_names_what_is_outside():
    gpu = case_of("Qwen/Qwen3-8B", "H100-SXM-80GB").gpu
    own = Cluster(gpu=gpu, gpus_per_node=1)
    assert utilization_reason(0.92, 0.92, GIB, own).startswith(
        "vLLM's default, which leaves 1.00 GiB that vLLM does not"
    )
    assert utilization_reason(0.95, 0.92, GIB, own).startswith("the cache needs more than vLLM's default of 0.92")
    assert utilization_reason(0.8, 0.92, GIB, own).startswith("less than vLLM's default of 0.92")
    shared = Cluster(gpu=gpu.model_copy(update={"unified_memory": True}), gpus_per_node=1, reserved_bytes=3 * GIB)
    assert "3.00 GiB of other processes; the CPU shares this memory" in utilization_reason(0.9, 0.92, GIB, shared)


@pytest.mark.parametrize(("gpu", "tokens"), [("RTX-5090-32GB", 4096), ("GB10-128GB", 8192), ("RTX-4090-24GB", 2048)])
def test_a_step_has_the_tokens_that_published_deployments_of_the_gpu_set(gpu, tokens):
    """VLLM's own default is 2,048 on each; its recipe of Gemma 4 26B has 4,096 on the first, 8,192 on the second."""
    made = plan_for(Request(model="Qwen/Qwen3-8B", gpu=gpu, source="embedded"), embedded_model("Qwen/Qwen3-8B"))
    assert made.engine["max_num_batched_tokens"] == tokens
    reason = next(one.reason for one in made.decisions if one.field == "max_num_batched_tokens")
    assert ("published deployments" in reason) == (tokens > 2048)


def test_a_card_that_lacks_the_memory_for_long_steps_takes_vllms_own():
    """What does not carry the stated load at long steps does at vLLM's default, or neither does."""
    asked = {"model": "Qwen/Qwen3-14B-FP8", "gpu": "RTX-5090-32GB", "source": "embedded", "concurrency": 48}
    made = plan_for(Request(**asked), embedded_model("Qwen/Qwen3-14B-FP8"))
    short = Request(**asked, overrides={"max_num_batched_tokens": 2048})
    least = plan_for(short, embedded_model("Qwen/Qwen3-14B-FP8"))
    assert made.feasibility.max_concurrency_at_context >= 48 or least.feasibility.max_concurrency_at_context < 48


def test_steps_are_shortened_where_they_cost_most_of_the_context_and_nothing_else():
    """Gemma 3 27B on an H100: 52 of 62 layers keep a whole step of each request beside their window of 1,024 tokens."""
    model = "google/gemma-3-27b-it"
    short, long = (
        plan_for(Request(model=model, gpu="H100", source="embedded", overrides=own), embedded_model(model))
        for own in ({}, {"max_num_batched_tokens": 8192})
    )
    assert short.engine["max_num_batched_tokens"] == 2048
    assert short.engine["max_model_len"] > 2 * long.engine["max_model_len"]
    assert short.estimate.output_tokens_per_s.mean >= long.estimate.output_tokens_per_s.mean * 0.98
    reason = next(one.reason for one in short.decisions if one.field == "max_num_batched_tokens")
    assert f"{long.engine['max_model_len']:,}" in reason


def test_steps_stay_where_the_context_is_long_or_the_users():
    """A context that is stated needs no more room, and one of 32,768 tokens is enough for vLLM's own steps."""
    for model, own in (("google/gemma-3-27b-it", {"max_model_len": 8192}), ("Qwen/Qwen3-8B", {})):
        made = plan_for(Request(model=model, gpu="H100", source="embedded", overrides=own), embedded_model(model))
        assert made.engine["max_num_batched_tokens"] == 8192
