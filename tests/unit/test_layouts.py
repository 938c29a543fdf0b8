"""Layouts: every way to spread one server over the GPUs that a check accepts."""

from __future__ import annotations

import pytest
from strategies import case_of

from generator.errors import RequestError
from generator.models.hardware import Cluster
from generator.planning.layouts import candidate_layouts, fixed_sizes
from generator.planning.rules.checks import check_layout

DENSE, EXPERTS = "Qwen/Qwen3-8B", "Qwen/Qwen3-30B-A3B"


def layouts(model=DENSE, gpus=4, nodes=1, fixed=None):
    case = case_of(model, "H100-SXM-80GB", gpus)
    cluster = Cluster(gpu=case.gpu, gpus_per_node=gpus, nodes=nodes)
    case = case.changed(cluster=cluster)
    return candidate_layouts(case.architecture, cluster, fixed or {}, lambda layout: check_layout(case, layout))


def sizes(found):
    return [(one.tensor_parallel_size, one.pipeline_parallel_size, one.data_parallel_size) for one in found]


def test_one_gpu_has_one_layout():
    assert sizes(layouts(gpus=1)) == [(1, 1, 1)]


def test_two_gpus_may_be_split_every_way_and_one_may_stay_idle():
    assert sizes(layouts(gpus=2)) == [(1, 1, 1), (2, 1, 1), (1, 1, 2), (1, 2, 1)]


def test_heads_divide_and_ranks_stay_within_the_gpus():
    """Qwen3-8B has 32 query heads: no TP of 3, 5, 6 or 7."""
    found = layouts(gpus=8)
    assert {one.tensor_parallel_size for one in found} == {1, 2, 4, 8}
    assert max(one.ranks for one in found) == 8
    assert [one.ranks for one in found] == sorted(one.ranks for one in found)


def test_experts_may_stay_whole_where_there_are_several_ranks():
    assert {one.enable_expert_parallel for one in layouts(EXPERTS, gpus=2)} == {False, True}
    assert {one.enable_expert_parallel for one in layouts(EXPERTS, gpus=1)} == {False}
    assert {one.enable_expert_parallel for one in layouts(DENSE, gpus=2)} == {False}
    assert {one.enable_expert_parallel for one in layouts(EXPERTS, fixed={"enable_expert_parallel": True})} == {True}


def test_several_nodes_are_filled_and_a_tensor_group_stays_in_its_node():
    assert sizes(layouts(gpus=4, nodes=2)) == [(4, 2, 1), (2, 4, 1), (1, 8, 1)]


def test_fixed_sizes_hold():
    assert sizes(layouts(gpus=4, fixed={"tensor_parallel_size": 2, "data_parallel_size": 1})) == [(2, 1, 1), (2, 2, 1)]


@pytest.mark.parametrize(
    ("fixed", "reason"),
    [
        ({"tensor_parallel_size": 3}, "divisible"),
        ({"tensor_parallel_size": 8}, "world size 8 is larger than the 4"),
        ({"tensor_parallel_size": 2, "pipeline_parallel_size": 4}, "larger than the 4"),
        ({"tensor_parallel_size": 1, "decode_context_parallel_size": 2}, "decode context parallel"),
    ],
)
def test_sizes_that_vllm_refuses_carry_its_reason(fixed, reason):
    with pytest.raises(RequestError, match=reason):
        layouts(fixed=fixed)


def test_sizes_that_fill_no_nodes_are_named():
    with pytest.raises(RequestError, match=r"pipeline_parallel_size=3 does not lay out over 2 x 4 GPUs"):
        layouts(gpus=4, nodes=2, fixed={"pipeline_parallel_size": 3})


def test_a_null_size_is_not_fixed():
    given = {"tensor_parallel_size": 2, "data_parallel_size": None, "max_num_seqs": 4}
    assert fixed_sizes(given) == {"tensor_parallel_size": 2}
