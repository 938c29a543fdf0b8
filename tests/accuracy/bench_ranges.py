"""How wide the speed table's ranges are: what its rows were missed by with each source left out.

The 90 % that a figure's own half-width holds, and what a region adds to it (`generator/planning/speed/regions.py`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import accumulate
from math import ceil
from typing import NamedTuple

from generator.planning.speed.regions import UNSEEN, kernel_region, load_regions
from tests.accuracy.bench_scores import FIGURES, Score

INSIDE = 0.85
"""The share of a region's figures that must lie inside, their source left out."""
HELD = 0.915
"""The share of all figures that the half-widths hold: nine in ten, and a little for what rounding takes."""
ENOUGH_SOURCES = 3
_FEWEST = ceil(INSIDE / (1 - INSIDE))
"""Figures below which none of a region's own can hold the next one with that chance."""


def half_widths(found: list[Score]) -> dict[str, float]:
    """Logarithm of the factor that holds nine rows in ten, by figure and kind of load.

    `found` are scores with coefficients that were fitted without the row's source: its sisters share its machine. For
    the same reason the figures of one source count as the root of their number: what the next source meets is asked.
    """
    widths = {}
    found = [s for s in found if s.case.row["core"] == "1"]
    for figure in FIGURES:
        for kind in ("lasting", "finite"):
            widths[f"{figure}.{kind}"] = round(
                _holding([s for s in found if s.figure == figure and s.kind in (kind, "decode")]), 3
            )
    for kind in ("lasting", "finite"):
        widths[f"itl.{kind}"] = widths[f"tpot.{kind}"]
        widths[f"e2e.{kind}"] = max(widths[f"tpot.{kind}"], widths[f"throughput.{kind}"])
    return widths


def _holding(scores: list[Score]) -> float:
    """The excess that `HELD` of the scores stay below, those of n of one source counted as the root of n."""
    of_source = Counter(_source(s) for s in scores)
    ordered = sorted((s.excess, of_source[_source(s)] ** -0.5) for s in scores)
    reached = accumulate(weight for _, weight in ordered)
    enough = HELD * sum(weight for _, weight in ordered)
    return next(excess for (excess, _), sum_so_far in zip(ordered, reached, strict=True) if sum_so_far >= enough)


class Added(NamedTuple):
    """What each region adds to the logarithm of a range's factor: those of enough sources, and those of fewer."""

    enough: dict[str, float]
    few: dict[str, float]


def regions(found: list[Score], widths: dict[str, float], apart: list[Score]) -> Added:
    """What each region adds so that `INSIDE` of it lies inside; `found` as for `half_widths`.

    A kernel that no source shows gets what `INSIDE` of all kernels do with where none of their rows is in the fit
    (`apart`), or those of few sources with theirs left out; half of it at least where one or two sources show it, and
    all of it where they show a handful of figures.
    """
    kernels = _by_kernel(found)
    loads: dict[str, list[Score]] = defaultdict(list)
    for score in found:
        if score.case.row["core"] == "1":
            for name in load_regions(score.case.scenario):
                loads[name].append(score)
    enough = {name for name, group in kernels.items() if len({_source(s) for s in group}) >= ENOUGH_SOURCES}
    rare = {name: group for name, group in sorted(kernels.items()) if name not in enough}
    few = {name: _beyond(group, widths) for name, group in rare.items() if len(group) >= _FEWEST}
    unknown = [_beyond(group, widths) for group in _by_kernel(apart).values()]
    unseen = max(_at_least(list(few.values())), _at_least(unknown))
    return Added(
        {name: _beyond(group, widths) for name, group in sorted((kernels | loads).items()) if name not in rare},
        {name: max(few.get(name, unseen), round(unseen / 2, 2)) for name in rare} | {UNSEEN: unseen},
    )


def _by_kernel(found: list[Score]) -> dict[str, list[Score]]:
    kernels: dict[str, list[Score]] = defaultdict(list)
    for score in found:
        if score.case.row["core"] == "1":
            kernels[kernel_region(score.case.footprint, score.case.gpu)].append(score)
    return kernels


def _at_least(values: list[float]) -> float:
    """Of n values the ceil((n + 1) x 0.85)-th, so that the next one lies below with at least that chance."""
    ordered = sorted(values)
    return ordered[min(ceil((len(ordered) + 1) * INSIDE), len(ordered)) - 1]


def _source(score: Score) -> str:
    return score.case.row["source"]


def _beyond(group: list[Score], widths: dict[str, float]) -> float:
    past = [s.excess - widths[f"{s.figure}.{_kind(s)}"] for s in group]
    return max(0.0, ceil(100 * _at_least(past)) / 100)


def _kind(score: Score) -> str:
    return "lasting" if score.kind == "decode" else score.kind
