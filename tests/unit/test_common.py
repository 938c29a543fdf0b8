"""What cases share that differ in their load or in how many GPUs a node has: worked out once, and as if anew."""

from __future__ import annotations

import pytest
from strategies import case_of

from generator.models.parallelism import Layout
from generator.planning.defaults import BatchLimits
from generator.planning.fit import fit
from generator.planning.memory.overhead import non_torch
from generator.planning.planner import options_of

LIMITS = BatchLimits(64, 2048)


def on(case, gpus):
    return case.beside(cluster=case.cluster.model_copy(update={"gpus_per_node": gpus}))


@pytest.mark.parametrize("model", ["Qwen/Qwen3-8B", "Qwen/Qwen3-30B-A3B"])
def test_a_layout_is_worked_out_once_for_all_numbers_of_gpus(model):
    eight = case_of(model, "H100-SXM-80GB", 8)
    wide, narrow = options_of(eight), options_of(on(eight, 2))
    known = {one.candidate.layout: one.candidate for one in wide}
    assert all(known[one.candidate.layout] is one.candidate for one in narrow)
    assert [one.candidate.layout for one in narrow] == [
        one.candidate.layout for one in wide if one.candidate.layout.ranks <= 2
    ]


@pytest.mark.parametrize(("model", "shared"), [("Qwen/Qwen3-8B", True), ("Qwen/Qwen3-30B-A3B", False)])
def test_replicas_of_one_engine_share_a_cache_unless_they_share_experts(model, shared):
    case = case_of(model, "H100-SXM-80GB", 8)
    alone = case.replica(Layout(), LIMITS)
    assert alone.cache.bytes_per_block
    assert (case.replica(Layout(data_parallel_size=4), LIMITS).cache is alone.cache) is shared


def test_what_is_kept_of_a_replica_is_what_a_new_one_gives():
    case = case_of("Qwen/Qwen3-8B", "H100-SXM-80GB", 8)
    layout, table = Layout(tensor_parallel_size=2, data_parallel_size=4), case.tables.overheads
    first = case.replica(Layout(tensor_parallel_size=2), LIMITS)
    assert non_torch(first, table) == non_torch(case.changed().replica(layout, LIMITS), table)
    kept, new = on(case, 8).replica(layout, LIMITS), case.changed().replica(layout, LIMITS)
    assert kept == new
    assert (non_torch(kept, table), kept.cache) == (non_torch(new, table), new.cache)


def test_another_load_takes_the_replicas_and_works_out_the_rest_anew():
    case = case_of("Qwen/Qwen3-8B", "L4-24GB", 1, concurrency=4)
    more = case.beside(request=case.request.model_copy(update={"concurrency": 64}))
    before, after = options_of(case)[0], options_of(more)[0]
    assert (before.candidate.load.concurrency, after.candidate.load.concurrency) == (4, 64)
    anew = options_of(more.changed())[0]
    assert (after.estimate, after.candidate.stages) == (anew.estimate, anew.candidate.stages)


def test_a_catalogue_works_each_layout_out_once_for_each_load():
    """One, two, four and eight GPUs have 49 layouts of a dense model; the 32 of eight GPUs are all of them."""
    case = case_of("Qwen/Qwen3-8B", "H100-SXM-80GB", 1, concurrency=16)
    rows = fit(case, [case.gpu], [(1, 1), (2, 1), (4, 1), (8, 1)], with_speed=True)
    assert len([row for row in rows if not row.flags]) == 4
    assert len(case.common.candidates) == 32
    assert len(case.common.weights) == 15
