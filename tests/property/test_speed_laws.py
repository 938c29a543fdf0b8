"""Laws of the speed estimates over random models, GPUs and loads."""

from math import isfinite

from hypothesis import given
from hypothesis import strategies as st

from generator.catalogue.speed import speed
from generator.models.estimate import Estimate
from generator.models.hardware import GPU, Flops
from generator.models.speed import Footprint, KVRead, Limits, Scenario
from generator.planning.speed.roofline import estimate, replicas_for

TABLE = speed()
CLOSE = 1 + 1e-3
"""Roots are found to a part in ten thousand of the requests."""

gpus = st.builds(
    lambda capability, bandwidth, flops: GPU(
        name="any",
        memory_bytes=80 << 30,
        capability=capability,
        bandwidth_bytes_per_s=bandwidth * 10**11,
        flops=Flops(bf16=flops * 10**13, fp8=2 * flops * 10**13),
        memory_kind="hbm" if capability in {80, 90, 100} else "gddr",
        nvlink_bytes_per_s=450 * 10**9,
    ),
    st.sampled_from((80, 86, 89, 90, 100, 120)),
    st.integers(2, 80),
    st.integers(5, 250),
)
dense = st.builds(
    lambda layers, size, window: Footprint(
        layers=layers,
        reductions=2 * layers,
        hidden_size=4096,
        dense_bytes=size * 1e9,
        dense_flops=size * 1e9,
        head_flops=size * 5e7,
        kv_reads=(KVRead(window_tokens=window, bytes_per_token=4096 * layers, flops_per_pair=16384 * layers),),
    ),
    st.integers(8, 96),
    st.integers(1, 140),
    st.sampled_from((None, 128, 4096)),
)
experts = st.builds(
    lambda layers, number, active, size: Footprint(
        layers=layers,
        moe_layers=layers,
        reductions=2 * layers,
        hidden_size=4096,
        dense_bytes=3e9,
        dense_flops=3e9,
        expert_bytes=size * 1e6,
        num_experts=number,
        local_experts=number,
        num_experts_per_tok=active,
        expert_flops=size * 1e6 * active * layers,
        kv_reads=(KVRead(bytes_per_token=2048 * layers, flops_per_pair=16384 * layers),),
    ),
    st.integers(8, 96),
    st.sampled_from((8, 64, 256)),
    st.integers(1, 8),
    st.integers(1, 30),
)
models = st.one_of(dense, experts)
loads = st.builds(
    Scenario,
    prompt_tokens=st.integers(1, 60_000),
    gen_tokens=st.integers(16, 8000),
    concurrency=st.integers(1, 1000),
)
limits = st.builds(
    Limits,
    max_num_seqs=st.sampled_from((16, 256, 1024)),
    max_num_batched_tokens=st.sampled_from((2048, 8192, 16384)),
)


def answer(model: Footprint, gpu: GPU, load: Scenario, limit: Limits) -> Estimate:
    """The estimate for the newest releases."""
    return estimate(model, gpu, load, limit, TABLE, release="0.32.0")


@given(models, gpus, loads, limits)
def test_figures_are_finite_positive_and_ordered(model, gpu, load, limit):
    found = answer(model, gpu, load, limit)
    for latency in (found.ttft_ms, found.tpot_ms, found.itl_ms, found.e2e_ms):
        assert 0 < latency.low <= latency.mean <= latency.high
        assert latency.mean <= latency.p95
        assert isfinite(latency.p95)
    assert 0 < found.output_tokens_per_s.low <= found.output_tokens_per_s.mean <= found.output_tokens_per_s.high


@given(models, gpus, loads, limits)
def test_the_same_question_has_the_same_answer(model, gpu, load, limit):
    assert answer(model, gpu, load, limit) == answer(model, gpu, load, limit)


@given(models, gpus, loads, limits)
def test_more_bandwidth_is_never_slower(model, gpu, load, limit):
    faster = gpu.model_copy(update={"bandwidth_bytes_per_s": 2 * gpu.bandwidth_bytes_per_s})
    slow, fast = answer(model, gpu, load, limit), answer(model, faster, load, limit)
    assert fast.output_tokens_per_s.mean * CLOSE >= slow.output_tokens_per_s.mean
    assert fast.e2e_ms.mean <= slow.e2e_ms.mean * CLOSE


@given(models, gpus, loads, limits)
def test_more_flops_are_never_slower(model, gpu, load, limit):
    flops = Flops(bf16=2 * gpu.flops.bf16, fp8=2 * gpu.flops.fp8)
    slow, fast = (answer(model, card, load, limit) for card in (gpu, gpu.model_copy(update={"flops": flops})))
    assert fast.output_tokens_per_s.mean * CLOSE >= slow.output_tokens_per_s.mean


@given(models, gpus, loads, limits, st.integers(2, 4))
def test_more_requests_in_flight_never_deliver_less(model, gpu, load, limit, factor):
    """Within a percent: a newcomer waits less for the step that runs where all steps are alike, and few are not."""
    more = load.changed(concurrency=factor * load.concurrency)
    few, many = answer(model, gpu, load, limit), answer(model, gpu, more, limit)
    assert many.output_tokens_per_s.mean * 1.02 >= few.output_tokens_per_s.mean
    assert many.e2e_ms.mean * 1.01 >= few.e2e_ms.mean


@given(models, gpus, loads, limits)
def test_a_prefix_in_the_cache_never_slows(model, gpu, load, limit):
    cached = load.changed(prefix_hit_ratio=0.5)
    cold, warm = answer(model, gpu, load, limit), answer(model, gpu, cached, limit)
    assert warm.e2e_ms.mean <= cold.e2e_ms.mean * CLOSE


@given(models, gpus, loads, limits)
def test_a_bigger_cache_never_delivers_less(model, gpu, load, limit):
    """Within three percent: of few running requests each meets fewer prompts of others, which the law tells roughly."""
    small, large = (answer(model, gpu, load, limit.changed(cache_sequences=n)) for n in (4.0, 40.0))
    assert large.output_tokens_per_s.mean * 1.03 >= small.output_tokens_per_s.mean


@given(models, gpus, loads, limits, st.floats(0.01, 1e4))
def test_replicas_carry_the_rate(model, gpu, load, limit, rate):
    one = answer(model, gpu, load, limit)
    number = replicas_for(rate, one)
    assert number * one.requests_per_s.low * 0.8 * CLOSE >= rate
