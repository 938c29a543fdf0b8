"""Mean, median and 95th percentile over the requests of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from generator.planning.speed.burst import Cohort

Weighted = list[tuple[float, float]]
"""Values and how many requests have them."""
_PARTS = 4
"""Points that stand for the span in which a group began to answer."""


class SpeedFigure(NamedTuple):
    """One latency over requests, in seconds."""

    mean: float
    median: float
    p95: float


def of_run(groups: Sequence[Cohort], serve_s: float) -> tuple[SpeedFigure, SpeedFigure, SpeedFigure]:
    """TTFT, TPOT and end to end latency of finished requests; `serve_s` is the server's time outside the engine."""
    ttft = [(part + serve_s, size) for group in groups for part, size in _parts(group)]
    tpot = [(tpot_s(group), group.size) for group in groups if group.gen_tokens > 1]
    e2e = [(group.finished_s - group.arrived_s + serve_s, group.size) for group in groups]
    return summary(ttft), summary(tpot) if tpot else SpeedFigure(0.0, 0.0, 0.0), summary(e2e)


def first_s(group: Cohort) -> float:
    """When the group's middle request had its first token."""
    return (group.first_from_s + group.first_to_s) / 2


def tpot_s(group: Cohort) -> float:
    """Time per output token after the first, of the group's middle request."""
    return (group.finished_s - first_s(group)) / max(group.gen_tokens - 1, 1.0)


def weighted_mean(values: Weighted) -> float:
    """Mean over requests."""
    return sum(value * size for value, size in values) / sum(size for _, size in values)


def summary(values: Weighted) -> SpeedFigure:
    """Mean, median and 95th percentile of weighted values."""
    ordered = sorted(values)
    return SpeedFigure(weighted_mean(ordered), _quantile(ordered, 0.5), _quantile(ordered, 0.95))


def _quantile(ordered: Weighted, share: float) -> float:
    rest = share * sum(size for _, size in ordered)
    for value, size in ordered:
        rest -= size
        if rest <= 0:
            return value
    return ordered[-1][0]


def _parts(group: Cohort) -> Weighted:
    span = group.first_to_s - group.first_from_s
    start = group.first_from_s - group.arrived_s
    return [(start + span * (i + 0.5) / _PARTS, group.size / _PARTS) for i in range(_PARTS)]
