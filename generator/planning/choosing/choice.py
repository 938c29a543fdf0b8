"""Choice: the best of the layouts that were worked out, by stated tie-breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from generator.planning.costs import gpus_needed
from generator.planning.speed.estimates import meets_targets, speed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from generator.models.estimate import Estimate
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case

NO_SPEED = float("inf")


class Scored(NamedTuple):
    """A candidate, its estimate under the workload, and its tokens per second at a full batch."""

    candidate: Candidate
    estimate: Estimate | None
    full_tokens_per_s: float


def scored(case: Case, candidates: Sequence[Candidate]) -> tuple[Scored, ...]:
    """The candidates with their estimates."""
    return tuple(Scored(one, speed(case, one), _full(case, one)) for one in candidates)


def best(case: Case, options: Sequence[Scored]) -> Scored:
    """The option that fits most surely, carries the workload, meets the targets, and serves the mode best.

    Where targets are stated, fewer GPUs, of all replicas that the rate takes, go before speed. Ties go to what is
    better in any merit, then to fewer pipeline stages, then to fewer replicas, then to experts sharded like
    everything else. So no option is better in one merit and as good in all others.
    """
    return min(options, key=lambda option: key(case, option))


def key(case: Case, option: Scored) -> tuple[object, ...]:
    """What options are compared by; the smallest is the best."""
    candidate = option.candidate
    short = candidate.verdict == "does_not_fit"
    return (
        candidate.doubt,
        -candidate.headroom_bytes if short else 0,
        not candidate.carries_load,
        not meets_targets(case, option.estimate),
        gpus_that_count(case, option),
        objective(case, option),
        *merits(option),
        *_simplicity(option),
    )


def gpus_that_count(case: Case, option: Scored) -> int:
    """GPUs of an option where targets are stated and met, of all replicas; 0 where speed alone decides."""
    if not (has_targets(case) and meets_targets(case, option.estimate)):
        return 0
    return gpus_needed(case, option.candidate, option.estimate)


def merits(option: Scored) -> tuple[float, ...]:
    """GPUs, gap between tokens, wait for the first, throughput and context; smaller is better in each."""
    found, candidate = option.estimate, option.candidate
    if found is None:
        return (candidate.layout.ranks, NO_SPEED, NO_SPEED, NO_SPEED, -int(candidate.context.value))
    return (
        candidate.layout.ranks,
        found.tpot_ms.mean,
        found.ttft_ms.mean,
        -found.output_tokens_per_s.mean,
        -int(candidate.context.value),
    )


def objective(case: Case, option: Scored) -> float:
    """Smaller is better: the gap between tokens, or the reciprocal of the throughput."""
    if option.estimate is None:
        return -option.candidate.layout.ranks
    if case.request.batching_mode == "latency":
        return option.estimate.tpot_ms.mean
    if case.request.batching_mode == "throughput":
        return -option.full_tokens_per_s
    return -option.estimate.output_tokens_per_s.mean


def has_targets(case: Case) -> bool:
    """Whether a service level is stated."""
    targets = case.request.targets
    return any(one is not None for one in (targets.ttft_ms, targets.tpot_ms, targets.requests_per_s))


def _simplicity(option: Scored) -> tuple[int, int, bool]:
    layout = option.candidate.layout
    return layout.pipeline_parallel_size, layout.data_parallel_size, layout.enable_expert_parallel


def _full(case: Case, candidate: Candidate) -> float:
    if case.request.batching_mode != "throughput":
        return 0.0
    found = speed(case, candidate, full=True)
    return found.output_tokens_per_s.mean if found else 0.0
