"""Evidence: how much wider an estimate's range is where few published runs are of such a layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from generator.models.parallelism import Layout

if TYPE_CHECKING:
    from generator.planning.case import Case

_STAGES = 0.36
"""Stages inside an NVLink node: where both were measured (gpt-oss-120b on two H100, docs/lab of gpustack/gpustack,
performance-lab/gpt-oss-120b/h100.md), they gave 5,338 tokens/s and tensor parallelism 7,649: ln(7649 / 5338)."""
_STAGES_PCIE = 0.16
"""Stages inside a node without NVLink: two published servers have them, whose rates were estimated too high by 0.36
(GLM-4.6-FP8 in eight stages on RTX PRO 6000, 832 tokens/s where tensor parallelism gave 1,349) and too low by 0.04
(GLM-4.5-Air in four on RTX 5090; both of cloudrift-ai/deplodock, results/): their mean, as a natural logarithm."""
_DIVIDED = 0.1
"""Ranks that share each sequence's cache: the one published pair (Kimi-K2-Thinking on eight H200, vLLM recipes
moonshotai/Kimi-K2-Thinking.yaml) went from 486 to 695 tokens/s where 518 and 631 are estimated: ln(695 / 631)."""
EXPERTS = 0.12
"""Whole experts against sliced ones: twenty servers were measured with both (rows of bench.csv that are alike but for
`ep`), and the estimate's errors for the two differed by at most this in eighteen (natural logarithm, time a token)."""

_SLICE = 0.164
"""A slice's SMs by NVIDIA's MIG user guide against those that nvidia-smi counts, where they differ most (1/7, and 16 of
132 of an H100's 1g.10gb): ln(132 / 7 / 16)."""


class Doubt(NamedTuple):
    """What is added to the natural logarithm of a range's factor, and why; 0 where runs like it are in the fit."""

    half_width: float = 0.0
    why: str = ""


def doubt_of(case: Case, layout: Layout) -> Doubt:
    """The doubt in a layout's estimate beyond that of the fit."""
    kinds = (stages_doubt(case, layout), _divided(layout), _experts(case, layout), _slice(case))
    doubts = [found for found in kinds if found]
    return Doubt(sum(one.half_width for one in doubts), "; ".join(one.why for one in doubts))


def stages_doubt(case: Case, layout: Layout) -> Doubt | None:
    """The doubt in stages that no border of nodes asks for; None where there are none."""
    if layout.pipeline_parallel_size <= case.cluster.nodes:
        return None
    if case.cluster.link == "nvlink":
        return Doubt(_STAGES, "stages inside an NVLink node lost 30 % to tensor parallelism where both were measured")
    return Doubt(_STAGES_PCIE, "stages inside a node were slower than estimated, by 16 % over two published runs")


def _divided(layout: Layout) -> Doubt | None:
    if layout.decode_context_parallel_size == 1:
        return None
    return Doubt(_DIVIDED, "divided caches are timed by one published pair of runs, which gained more")


def _experts(case: Case, layout: Layout) -> Doubt | None:
    """Experts laid out otherwise than the published recipe of the model's family does."""
    family = case.tables.serving.family
    published = family.whole_experts if family else None
    if published is None or not case.architecture.is_moe or layout.ranks == 1:
        return None
    if layout.enable_expert_parallel is published:
        return None
    return Doubt(EXPERTS, f"{family.name if family else ''}'s recipe has its experts {_HOW[published]}")


def _slice(case: Case) -> Doubt | None:
    if not case.gpu.slice_of:
        return None
    return Doubt(_SLICE, f"a slice is timed by its shares of a {case.gpu.slice_of}, which no published run confirms")


_HOW = {True: "whole, spread over ranks", False: "sliced over ranks"}
