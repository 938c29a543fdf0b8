"""Choice: the best of the layouts that were worked out, by stated tie-breaks, and what else could be had."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from generator.models.plan import Alternative
from generator.planning.estimates import meets_targets, speed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from generator.models.estimate import Estimate
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case

_VERDICTS = ("fits", "tight", "does_not_fit")
_NO_SPEED = float("inf")


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

    Where targets are stated, fewer GPUs go before speed. Ties go to fewer GPUs, then pipeline stages, then
    replicas, then to experts sharded like everything else.
    """
    return min(options, key=lambda option: _key(case, option))


def alternatives(options: Sequence[Scored], chosen: Scored) -> tuple[Alternative, ...]:
    """At most three layouts that beat the chosen one in something, each different in kind, and why they lost."""
    able = [
        option
        for option in options
        if option is not chosen and option.candidate.verdict == "fits" and option.estimate is not None
    ]
    if chosen.estimate is None:
        return ()
    found = []
    for kind, figure in _KINDS:
        best_one = min(able, key=lambda option: (figure(option), *_simplicity(option)), default=None)
        if best_one is not None and figure(best_one) < figure(chosen):
            able.remove(best_one)
            found.append(_alternative(kind, best_one, chosen))
    return tuple(found)


def _key(case: Case, option: Scored) -> tuple[object, ...]:
    candidate = option.candidate
    short = candidate.verdict == "does_not_fit"
    met = meets_targets(case, option.estimate)
    cheapest = candidate.layout.ranks if met and _has_targets(case) else 0
    return (
        _VERDICTS.index(candidate.verdict),
        -candidate.headroom_bytes if short else 0,
        not candidate.carries_load,
        not met,
        cheapest,
        _objective(case, option),
        *_simplicity(option),
    )


def _objective(case: Case, option: Scored) -> float:
    """Smaller is better: the gap between tokens, or the reciprocal of the throughput."""
    if option.estimate is None:
        return -option.candidate.layout.ranks
    if case.request.batching_mode == "latency":
        return option.estimate.tpot_ms.mean
    if case.request.batching_mode == "throughput":
        return -option.full_tokens_per_s
    return -option.estimate.output_tokens_per_s.mean


def _simplicity(option: Scored) -> tuple[int, int, int, bool]:
    layout = option.candidate.layout
    return (
        layout.ranks,
        layout.pipeline_parallel_size,
        layout.data_parallel_size,
        layout.enable_expert_parallel,
    )


def _has_targets(case: Case) -> bool:
    targets = case.request.targets
    return targets.ttft_ms is not None or targets.tpot_ms is not None


def _full(case: Case, candidate: Candidate) -> float:
    if case.request.batching_mode != "throughput":
        return 0.0
    found = speed(case, candidate, full=True)
    return found.output_tokens_per_s.mean if found else 0.0


def _ranks(option: Scored) -> float:
    return float(option.candidate.layout.ranks)


def _gap(option: Scored) -> float:
    return option.estimate.tpot_ms.mean if option.estimate else _NO_SPEED


def _slowness(option: Scored) -> float:
    return -option.estimate.output_tokens_per_s.mean if option.estimate else _NO_SPEED


_KINDS: tuple[tuple[str, Callable[[Scored], float]], ...] = (
    ("fewer GPUs", _ranks),
    ("shorter gaps between tokens", _gap),
    ("more tokens per second", _slowness),
)


def _alternative(kind: str, option: Scored, chosen: Scored) -> Alternative:
    assert option.estimate is not None  # noqa: S101 - alternatives are estimated
    assert chosen.estimate is not None  # noqa: S101
    layout = option.candidate.layout
    rate, own = option.estimate.output_tokens_per_s.mean, chosen.estimate.output_tokens_per_s.mean
    gap, own_gap = option.estimate.tpot_ms.mean, chosen.estimate.tpot_ms.mean
    return Alternative(
        kind=kind,
        layout=layout,
        flags=_flags(option),
        tpot_ms=gap,
        output_tokens_per_s=rate,
        lost=f"{rate:,.0f} tokens/s against {own:,.0f}, {gap:.1f} ms a token against {own_gap:.1f}",
    )


def _flags(option: Scored) -> tuple[str, ...]:
    layout = option.candidate.layout
    flags = ["--tp", str(layout.tensor_parallel_size), "--pp", str(layout.pipeline_parallel_size)]
    flags += ["--dp", str(layout.data_parallel_size)]
    return (*flags, *(("--set", "enable_expert_parallel=true") if layout.enable_expert_parallel else ()))
