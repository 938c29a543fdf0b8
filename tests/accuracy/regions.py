"""Starts by region: what share of them lies inside its interval when the fit has not seen their source.

Regions are the planner's own (`planning/memory/evidence.py`), and the releases of a few months.
"""

from __future__ import annotations

from math import ceil
from statistics import mean
from typing import TYPE_CHECKING, NamedTuple

from generator.catalogue.overheads import overheads
from generator.models.release import release_key
from generator.planning.memory.evidence import regions, widening

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.accuracy.bootlogs import Scored
    from tests.accuracy.startup_rows import Case

INSIDE = 0.85
"""The share of a region's starts that must lie inside, where enough sources show it."""
_ERAS = ("0.8", "0.15", "0.20", "0.26")
_STEP = 0.05


class Region(NamedTuple):
    """One region and its starts."""

    name: str
    starts: tuple[Scored, ...]

    @property
    def sources(self) -> int:
        """Sources that its starts come from."""
        return len({one.case.source for one in self.starts})

    @property
    def enough(self) -> bool:
        """Whether enough sources show it."""
        return self.sources >= overheads().widening.enough_sources

    @property
    def inside(self) -> float:
        """Share of its starts that lie inside their interval."""
        return mean(bool(one.inside) for one in self.starts)

    @property
    def width(self) -> float:
        """Mean width of their intervals, of the GPU."""
        return mean(one.width for one in self.starts)


def by_region(planned: Iterable[Scored]) -> list[Region]:
    """Every region of the starts that log their cache memory, the one with the most starts first."""
    held: dict[str, list[Scored]] = {}
    for one in planned:
        for name in _names(one.case) if one.inside is not None else ():
            held.setdefault(name, []).append(one)
    found = [Region(name, tuple(starts)) for name, starts in held.items()]
    return sorted(found, key=lambda region: (-len(region.starts), region.name))


def _names(case: Case) -> tuple[str, ...]:
    key = release_key(case.release)
    number = max(index for index, since in enumerate(_ERAS) if release_key(since) <= key)
    until = f"before {_ERAS[number + 1]}" if number + 1 < len(_ERAS) else "and later"
    return (*regions(case.replica), f"vLLM {_ERAS[number]} {until}")


def needed_widening(planned: Iterable[Scored]) -> float:
    """The least factor on ranges that are not widened, in steps of 0.05, that every region with enough sources needs.

    Of n starts the ceil((n + 1) x 0.85)-th nearest must lie inside (the last where they are too few for that), so that
    the next one of the region does with at least that chance.
    """
    needed = 1.0
    for region in by_region(planned):
        if region.enough:
            reaches = sorted((one.reach or 0.0) * widening(one.case.replica, overheads()) for one in region.starts)
            needed = max(needed, reaches[min(ceil((len(reaches) + 1) * INSIDE), len(reaches)) - 1])
    return round(ceil(needed / _STEP - 1e-9) * _STEP, 2)
