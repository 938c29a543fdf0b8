"""Queues: Little's law, saturation, bursts and open arrivals, and published runs of each."""

from math import isclose

import pytest

from generator.catalogue.gpus import find_gpu
from generator.catalogue.speed import speed
from generator.models.estimate import Estimate
from generator.models.speed import Footprint, KVRead, Limits, Scenario
from generator.planning.speed.burst import follow
from generator.planning.speed.queueing import Load, closed, open_loop, uneven
from generator.planning.speed.rates import rates
from generator.planning.speed.roofline import estimate
from generator.planning.speed.steps import StepModel

H100 = find_gpu("H100-SXM-80GB")
DENSE_8B = Footprint(
    layers=32,
    reductions=64,
    hidden_size=4096,
    dense_bytes=15.0e9,
    dense_flops=14.0e9,
    head_flops=1.05e9,
    kv_reads=(KVRead(bytes_per_token=131072, flops_per_pair=524288),),
)
MODEL = StepModel(DENSE_8B, rates(DENSE_8B, H100, speed(), link="nvlink", release="late"))
LIMITS = Limits()
LOAD = Load(
    prompt_tokens=1000,
    new_tokens=1000,
    gen_tokens=200,
    tokens_per_step=1,
    concurrency=32,
    running=32,
    batched_tokens=8192,
    variation=0,
)


def served(limits: Limits = LIMITS, **scenario: object) -> Estimate:
    """The 8B model on one H100."""
    load = Scenario(**{"prompt_tokens": 1000, "gen_tokens": 200} | scenario)
    return estimate(DENSE_8B, H100, load, limits, speed(), release="0.32.0")


@pytest.mark.parametrize("clients", [1, 8, 64, 500])
def test_a_closed_loop_obeys_littles_law(clients):
    found = served(concurrency=clients, limits=Limits(max_num_seqs=1024))
    in_flight = found.requests_per_s.mean * found.e2e_ms.mean / 1000
    assert isclose(in_flight, clients, rel_tol=0.02)


def test_prompts_and_answers_fill_the_running_slots():
    state = closed(MODEL, LOAD)
    reading = state.rate_per_s * (state.first_s + state.queue_s)
    assert isclose(state.decoding + reading, LOAD.running, rel_tol=0.01)


def test_a_full_engine_makes_the_others_wait():
    """With 32 slots for 64 clients a request waits as long as it runs."""
    state = closed(MODEL, LOAD._replace(concurrency=64))
    run = state.first_s + state.queue_s + (LOAD.gen_tokens - 1) * state.step_s
    assert isclose(state.slot_s, run, rel_tol=0.02)


def test_a_cache_that_is_too_small_sets_the_pace():
    found = served(concurrency=64, limits=Limits(cache_sequences=4))
    assert found.bound_by == "kv_capacity"
    assert found.running <= 4


def test_slots_that_are_too_few_are_a_queue():
    assert served(concurrency=64, limits=Limits(max_num_seqs=4)).bound_by == "queue"


def test_one_small_request_is_bound_by_what_a_step_reads():
    assert served(concurrency=1).bound_by == "memory_bandwidth"


def test_many_long_prompts_are_bound_by_their_arithmetic():
    """Others' prompts are most of the time between a request's tokens, and a step without one is mere reading."""
    assert served(concurrency=8, prompt_tokens=8000, gen_tokens=100).bound_by == "compute"
    assert served(concurrency=8, prompt_tokens=64, gen_tokens=2000).bound_by == "memory_bandwidth"


def test_a_burst_ends_all_its_requests_and_none_before_it_began():
    run = follow(MODEL, LOAD._replace(concurrency=1000), requests=1000)
    assert isclose(sum(group.size for group in run.groups), 1000)
    assert all(0 <= g.first_from_s <= g.first_to_s <= g.finished_s <= run.duration_s for g in run.groups)


def test_prompts_of_a_burst_are_read_in_order():
    """The median request of a burst waits half as long as the last: reading is the bottleneck at the start."""
    found = served(arrival="burst", concurrency=200, gen_tokens=1000, limits=Limits(max_num_seqs=256))
    assert isclose(found.ttft_ms.p95 / found.ttft_ms.median, 1.9, rel_tol=0.15)


def test_a_run_as_long_as_a_loop_converges_to_it():
    finite = served(concurrency=16, num_prompts=16 * 7)
    lasting = served(concurrency=16)
    assert isclose(finite.tpot_ms.mean, lasting.tpot_ms.mean, rel_tol=0.15)


def test_the_start_of_a_loop_raises_its_mean_wait():
    """InferenceMAX's TTFT at 64 clients is 1.5 to 2 times that at 4 although answers are 7,373 tokens long."""
    some, all_at_once = (served(concurrency=64, gen_tokens=7373, num_prompts=n) for n in (None, 640))
    assert all_at_once.ttft_ms.mean > 1.3 * some.ttft_ms.mean


def test_few_open_arrivals_meet_an_idle_engine():
    rare, alone = served(arrival="open", requests_per_s=0.01), served(concurrency=1)
    assert isclose(rare.ttft_ms.mean, alone.ttft_ms.mean, rel_tol=0.1)
    assert isclose(rare.requests_per_s.mean, 0.01, rel_tol=0.01)


def test_a_lone_answer_meets_no_prompt():
    """One client sends its next prompt when it has its answer, so short answers are as fast as long ones."""
    state = closed(MODEL, LOAD._replace(concurrency=1, running=1, gen_tokens=8))
    assert state.step_s == state.plain_s
    assert served(concurrency=1, gen_tokens=8).tpot_ms.mean == pytest.approx(state.plain_s * 1000, rel=0.01)


def test_a_request_waits_for_the_step_that_is_scheduled_ahead():
    """With asynchronous scheduling a busy engine has a step in progress and one behind it; an idle one has neither."""
    at_once = StepModel(DENSE_8B, MODEL.rates._replace(queued_steps=0.0))
    behind, first = closed(MODEL, LOAD), closed(at_once, LOAD)
    assert behind.first_s - first.first_s == pytest.approx(behind.step_s, rel=0.02)
    lone = LOAD._replace(concurrency=1, running=1)
    assert closed(MODEL, lone).first_s == closed(at_once, lone).first_s


def test_early_releases_schedule_no_step_ahead():
    """Asynchronous scheduling is the default since 0.14 (vLLM pull request 27614)."""
    ahead = [rates(DENSE_8B, H100, speed(), link="nvlink", release=name).queued_steps for name in ("early", "late")]
    assert ahead == [0, 1]


def test_prompts_fill_the_steps_and_no_more():
    """However many clients, a second's prompts take a second's steps at most."""
    state = closed(
        MODEL, LOAD._replace(prompt_tokens=8000, new_tokens=8000, gen_tokens=16, concurrency=500, running=500)
    )
    assert state.rate_per_s * 8000 * DENSE_8B.dense_flops < MODEL.rates.dense_flops


def test_open_arrivals_beyond_capacity_are_said_to_be():
    found = served(arrival="open", requests_per_s=1000)
    assert not found.sustainable
    assert found.bound_by in ("queue", "kv_capacity")
    assert found.requests_per_s.mean < 1000


def test_open_arrivals_without_a_state_are_none():
    assert open_loop(MODEL, LOAD, 1e6) is None


def test_answers_of_mixed_length_end_apart():
    run = follow(MODEL, LOAD._replace(variation=0.58), requests=64)
    assert len({group.finished_s for group in run.groups}) > 16


def test_a_crowd_waits_until_all_of_it_is_taken_in():
    """1,000 prompts of 128 tokens to Qwen3-14B on an H100: the first tokens came after 14 s (bench.csv p0103)."""
    few, crowd = (follow(MODEL, LOAD._replace(concurrency=n, running=n), requests=n) for n in (1, 1000))
    gain = crowd.groups[0].first_from_s - few.groups[0].first_from_s
    assert gain > 999 * MODEL.rates.intake_s


def test_a_warmed_server_compiles_nothing():
    cold, warm = (served(concurrency=4, num_prompts=8, warmed=warmed) for warmed in (False, True))
    assert warm.ttft_ms.mean < cold.ttft_ms.mean


def test_one_request_of_mixed_length_has_a_mean_answer():
    run = follow(MODEL, LOAD._replace(concurrency=1, running=1, variation=0.58), requests=1)
    assert isclose(run.groups[0].gen_tokens, LOAD.gen_tokens)


def test_the_range_of_a_run_reaches_from_a_cold_start_to_a_warm_one():
    cold, warm = (served(concurrency=8, num_prompts=16, warmed=warmed) for warmed in (False, True))
    assert cold.ttft_ms.low == pytest.approx(warm.ttft_ms.low)
    assert cold.ttft_ms.high > warm.ttft_ms.high
    assert cold.output_tokens_per_s.high == pytest.approx(warm.output_tokens_per_s.high)
    assert cold.output_tokens_per_s.low < warm.output_tokens_per_s.low


@pytest.mark.parametrize(("held", "low", "high"), [(64, 0, 0.001), (29.33, 0.4, 0.6), (16, 0.999, 1)])
def test_requests_that_grow_beyond_the_cache_are_preempted(held, low, high):
    """32 requests of 1,000 + 200 tokens are half way through on average: 35,200 tokens, 29.3 full requests."""
    found = served(concurrency=32, limits=Limits(full_sequences=held))
    assert low <= found.preemption_risk <= high


def test_no_preemption_is_told_where_the_cache_is_not_known():
    assert served(concurrency=32).preemption_risk == 0


def test_a_proxy_gives_the_first_replicas_more():
    """The round robin of nginx starts at the first server in each worker; 8 servers, 64 requests, 32 workers."""
    load = Scenario(prompt_tokens=1, gen_tokens=1, concurrency=64, replicas=8, balancing="random")
    (heavy, most), (light, rest) = uneven(load, workers=32)
    assert isclose(most + rest, 1)
    assert light < heavy < 4


def test_many_requests_fill_the_replicas_evenly():
    load = Scenario(prompt_tokens=1, gen_tokens=1, concurrency=8000, replicas=8, balancing="random")
    assert all(isclose(size, 1, rel_tol=0.03) for size, _ in uneven(load, workers=32))


def test_a_proxy_that_does_not_know_the_load_makes_the_run_longer():
    even, random = (served(concurrency=128, num_prompts=256, replicas=8, balancing=how) for how in ("even", "random"))
    assert random.output_tokens_per_s.mean < even.output_tokens_per_s.mean
