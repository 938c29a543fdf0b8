"""Laws of the whole plan over models, GPUs and workloads."""

from __future__ import annotations

import argparse
import json
from itertools import cycle

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import MODELS, case_of, cases, gpus, invented_gpus, workloads

from generator.errors import RequestError
from generator.models.parallelism import Layout
from generator.models.plan import Plan
from generator.models.vllm import VLLMConfig
from generator.planning.choosing.choice import best
from generator.planning.choosing.variants import cache_variants, graph_variants, with_values
from generator.planning.costs import gpus_needed
from generator.planning.evaluation import evaluate
from generator.planning.planner import options_of, planned
from generator.planning.speed.estimates import meets_targets
from generator.units import GIB

ORDER = ("fits", "tight", "does_not_fit")
some = settings(max_examples=25, deadline=None)
few = settings(max_examples=12, deadline=None)


def plan_of(case):
    """The plan; a case that vLLM refuses is no example."""
    try:
        return planned(case)
    except RequestError:
        assume(condition=False)


def parsed(engine, words):
    """The engine values that a parser made of the release's own flags reads from a command."""
    parser = argparse.ArgumentParser(allow_abbrev=False, exit_on_error=False)
    readers = {"int": int, "float": float, "json": json.loads}
    for flag in engine.flags:
        if flag.type == "bool":
            parser.add_argument(flag.option, dest=flag.name, action="store_const", const=True)
            off = f"--{flag.negation}" if flag.negation else f"--no-{flag.name.replace('_', '-')}"
            parser.add_argument(off, dest=flag.name, action="store_const", const=False)
        else:
            more = {"nargs": "+"} if flag.type == "list" else {}
            parser.add_argument(flag.option, dest=flag.name, type=readers.get(flag.type, str), **more)
    return {name: value for name, value in vars(parser.parse_args(words)).items() if value is not None}


@some
@given(cases())
def test_the_same_inputs_give_the_same_plan_byte_for_byte(case):
    assert plan_of(case).model_dump_json() == planned(case.changed()).model_dump_json()


@some
@given(cases())
def test_a_plan_survives_json_and_holds_no_negative_number(case):
    made = plan_of(case)
    text = made.model_dump_json()
    assert Plan.model_validate_json(text) == made
    assert json.loads(made.model_dump_json(by_alias=True))["schema"] == 1
    assert min(numbers(json.loads(text))) >= 0


@some
@given(cases())
def test_the_items_of_the_budget_sum_exactly_to_what_is_requested(case):
    memory = plan_of(case).memory
    items = (
        memory.weights_bytes, memory.non_torch_bytes, memory.activation_peak_bytes, memory.cuda_graph_bytes,
        memory.kv_cache_available_bytes,
    )  # fmt: skip
    total = sum(item.expected for item in items) + memory.headroom_bytes
    assume(memory.kv_cache_available_bytes.expected)
    assert total == memory.requested_bytes.expected <= memory.gpu_total_bytes.expected


@some
@given(cases(), st.sampled_from(({}, {"enforce_eager": True}, {"async_scheduling": False}, {"max_num_seqs": 9})))
def test_the_command_parses_to_the_engine_values(case, more):
    made = plan_of(case)
    engine = case.tables.engine
    arguments = made.engine | more
    words = VLLMConfig(model=case.facts.id, arguments=arguments).args(engine)
    assert words[:3] == ("vllm", "serve", case.facts.id)
    read = parsed(engine, words[3:])
    assert {name: value[0] if isinstance(value, list) else value for name, value in read.items()} == arguments


@some
@given(cases(), st.integers(1, 160))
def test_more_memory_never_makes_a_plan_infeasible(case, more):
    gpu = case.gpu.model_copy(update={"memory_bytes": case.gpu.memory_bytes + more * GIB // 2})
    larger = case.changed(cluster=case.cluster.model_copy(update={"gpu": gpu}))
    before, after = plan_of(case).feasibility, planned(larger).feasibility
    assert ORDER.index(after.verdict) <= ORDER.index(before.verdict)


@some
@given(cases(), st.integers(1, 4))
def test_more_gpus_never_make_a_plan_infeasible(case, more):
    cluster = case.cluster.model_copy(update={"gpus_per_node": case.cluster.gpus_per_node + more})
    before, after = plan_of(case).feasibility, planned(case.changed(cluster=cluster)).feasibility
    assert ORDER.index(after.verdict) <= ORDER.index(before.verdict)


@few
@given(st.sampled_from(MODELS), gpus, workloads, st.sampled_from((4096, 8192)))
def test_a_longer_context_never_holds_more_requests(model, gpu, load, length):
    short, long = (
        plan_of(case_of(model, gpu, 1, overrides={"max_model_len": size, "max_num_seqs": 8}, **load)).kv_cache
        for size in (length, 2 * length)
    )
    assume(long is not None)
    assert short.max_concurrency >= long.max_concurrency
    assert short.bytes_per_block == long.bytes_per_block


@few
@given(st.sampled_from(MODELS), invented_gpus)
def test_sharding_never_costs_a_rank_memory_and_the_ranks_hold_the_whole(model, gpu):
    case = case_of(model, gpu, 8)
    made = [evaluate(case, Layout(tensor_parallel_size=size)) for size in (1, 2, 4, 8)]
    weights = [one.weights.worst.total_bytes for one in made]
    assert weights == sorted(weights, reverse=True)
    for size, held in zip((1, 2, 4, 8), weights, strict=True):
        assert held * size >= weights[0]


@few
@given(st.sampled_from(MODELS), invented_gpus)
def test_the_stages_of_a_pipeline_hold_the_whole(model, gpu):
    case = case_of(model, gpu, 4)
    alone, split = (evaluate(case, Layout(pipeline_parallel_size=size)) for size in (1, 4))
    assert sum(stage.total_bytes for stage in split.weights.stages) >= alone.weights.worst.total_bytes
    assert split.weights.worst.total_bytes < alone.weights.worst.total_bytes


@some
@given(cases(), st.integers(1, 8))
def test_headroom_is_taken_from_the_cache_alone(case, gib):
    request = case.request.model_copy(update={"headroom_gb": float(gib)})
    overrides = {"tensor_parallel_size": 1, "max_num_seqs": 8, "max_num_batched_tokens": 2048, "max_model_len": 4096}
    plain, kept = (
        plan_of(case_of(case.facts.id, case.gpu, 1, headroom_gb=room, overrides=overrides))
        for room in (0.0, request.headroom_gb)
    )
    assume(kept.feasibility.fits)
    room = plain.memory.kv_cache_available_bytes.expected - kept.memory.kv_cache_available_bytes.expected
    assert room == kept.memory.headroom_bytes == gib * GIB


TARGETS = ({}, {"tpot_ms": 25.0}, {"ttft_ms": 400.0, "tpot_ms": 50.0}, {"requests_per_s": 20.0})
TRIPLES = [
    (model, budget, target)
    for model in MODELS
    for budget in (("H100-SXM-80GB", 4), ("L40S-48GB", 3))
    for target in TARGETS
    if model != "meta-llama/Llama-3.1-70B-Instruct" or budget[0] != "L40S-48GB"
]


MODES = cycle(("latency", "balanced", "throughput", "balanced"))


@pytest.mark.parametrize(("triple", "mode"), list(zip(TRIPLES, MODES, strict=False)))
def test_no_layout_that_can_be_scored_dominates_the_chosen_one(triple, mode):
    """Brute force: none is as sure to fit and carries as much, is as fast in all, and better in one.

    Fewer GPUs count where targets are stated: without, every GPU is there to be used. The grid holds every layout,
    with the model's own cache and an FP8 one, with CUDA graphs and without; what costs accuracy is a merit lost.
    """
    model, budget, target = triple
    case = case_of(model, *budget, batching_mode=mode, concurrency=16, **target)
    options = options_of(case)
    chosen = best(case, options)
    assert chosen.estimate is not None
    for lossy, other in grid(case, options):
        if other.estimate is None or not as_good(case, other, chosen):
            continue
        own, its = (0, *merits(case, chosen, target)), (lossy, *merits(case, other, target))
        dominated = all(new <= old for new, old in zip(its, own, strict=True)) and its != own
        assert not dominated, (chosen.candidate.layout, own, other.candidate.layout, its)


def grid(case, options):
    """Every option that can be scored, and whether it costs accuracy."""
    yield from ((False, one) for one in options)
    for variant in (*graph_variants(case), *cache_variants(case)):
        changed = with_values(case, variant.values)
        try:
            made = options_of(changed)
        except RequestError:
            continue
        yield from (("kv_cache_dtype" in variant.values, one) for one in made)


def as_good(case, other, chosen):
    return (
        ORDER.index(other.candidate.verdict) <= ORDER.index(chosen.candidate.verdict)
        and other.candidate.carries_load >= chosen.candidate.carries_load
        and meets_targets(case, other.estimate) >= meets_targets(case, chosen.estimate)
    )


def merits(case, option, target):
    """Smaller is better in each; at the pessimistic end of its range, so that evidence counts."""
    speed = (option.estimate.e2e_ms.high, -option.estimate.output_tokens_per_s.low)
    return (*speed, gpus_needed(case, option.candidate, option.estimate)) if target else speed


def numbers(item):
    """Every number of a JSON value."""
    if isinstance(item, dict):
        item = list(item.values())
    if isinstance(item, list):
        return [number for one in item for number in numbers(one)]
    return [item] if isinstance(item, int | float) and not isinstance(item, bool) else []
