"""Choice: the best of the layouts that were worked out, by stated tie-breaks."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import TYPE_CHECKING

from generator.planning.choosing.growth import grown, weighs_growth
from generator.planning.costs import gpus_needed
from generator.planning.speed.estimates import missed_by
from generator.planning.speed.evidence import stages_doubt

if TYPE_CHECKING:
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case
    from generator.planning.choosing.scored import Scored

NO_SPEED = float("inf")
_ROOMY = 8192
"""Tokens of a context that most requests of a day fit."""
_FOR_ROOM = 0.9
"""Share of the rate that a shorter one counts for where modes are balanced."""


def best(case: Case, options: Sequence[Scored]) -> Scored:
    """The option that fits most surely, carries the workload, meets the targets or misses them least, and serves best.

    Where targets are stated and met, fewer GPUs, of all replicas that the rate takes, go before speed. Ties go to what
    is better in any figure, then to fewer pipeline stages, then to fewer replicas, then to experts sharded like
    everything else. So no option is better in one figure and as good in all others.
    """
    first = min(options, key=lambda option: key(case, option))
    return grown(case, options, first) if weighs_growth(case, first) else first


def key(case: Case, option: Scored) -> tuple[object, ...]:
    """What options are compared by; the smallest is the best."""
    candidate = option.candidate
    short = candidate.verdict == "does_not_fit"
    return (
        candidate.doubt,
        -candidate.headroom_bytes if short else 0,
        not carries(case, option),
        surely_missed_by(case, option),
        gpus_that_count(case, option),
        objective(case, option),
        *merits(option),
        *_simplicity(option),
    )


def carries(case: Case, option: Scored) -> bool:
    """Whether an option carries the load, with the room that counts."""
    candidate = option.candidate
    each = room(case, candidate) // candidate.layout.data_parallel_size
    return candidate.carries_load and each >= candidate.load.concurrency


def room(case: Case, candidate: Candidate) -> int:
    """Requests that all replicas hold; those that surely have room in stages that no border of nodes asks for."""
    return candidate.sure_concurrency if stages_doubt(case, candidate.layout) else candidate.concurrency


def surely_missed_by(case: Case, option: Scored) -> float:
    """How many times the worst missed target an option takes; 0 where all are met.

    Stages that no border of nodes asks for count as slower by their doubt: they win a target by more than that alone.
    """
    doubt = stages_doubt(case, option.candidate.layout)
    return missed_by(case, option.estimate, exp(doubt.half_width) if doubt else 1.0)


def gpus_that_count(case: Case, option: Scored) -> int:
    """GPUs of an option where targets are stated and met, of all replicas; 0 where speed alone decides."""
    if not has_targets(case) or surely_missed_by(case, option):
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
    """Smaller is better: the whole request's time for latency, else the rate of tokens, negative.

    Each at the pessimistic end of its own range, so that evidence counts. Where requests follow each other without a
    pause both are one figure: the rate is the requests in flight, over the time of one. Balanced gives a tenth of the
    rate for a context of 8,192 tokens: what is served next is seldom as short as what was asked for.
    """
    if option.estimate is None:
        return -option.candidate.layout.ranks
    if case.request.batching_mode == "latency":
        return option.estimate.e2e_ms.high
    return -option.estimate.output_tokens_per_s.low * (_FOR_ROOM if is_cramped(case, option.candidate) else 1.0)


def is_cramped(case: Case, candidate: Candidate) -> bool:
    """Whether balanced weighs against it that its context is shorter than most requests of a day."""
    asked = case.request.batching_mode != "balanced" or case.asked_context is not None
    return not asked and int(candidate.context.value) < min(_ROOMY, case.model_context)


def has_targets(case: Case) -> bool:
    """Whether a service level is stated."""
    targets = case.request.targets
    return any(one is not None for one in (targets.ttft_ms, targets.tpot_ms, targets.requests_per_s))


def _simplicity(option: Scored) -> tuple[int, int, bool]:
    layout = option.candidate.layout
    return layout.pipeline_parallel_size, layout.data_parallel_size, layout.enable_expert_parallel
