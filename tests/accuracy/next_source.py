"""`next-source`: what a source that nobody has seen may expect of the ranges of speed.

Each source in turn is scored with coefficients that were fitted without it (`tests/accuracy/data/speed_folds.json`) and
with ranges that are set by the other sources alone, so that nothing of it was seen. Rows of our own search count too.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from generator.catalogue.speed import speed
from tests.accuracy.bench_ranges import half_widths, regions
from tests.accuracy.bench_rows import Case, cases, read_rows
from tests.accuracy.bench_scores import Score, quantile, scores
from tests.accuracy.benchmarks import SIDES, without
from tests.accuracy.startup_rows import DATA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from generator.models.speed import Coefficients

ADDED = DATA / "bench_added.csv"
FEW = 40
"""Figures up to which a source counts as one that has few."""
_source = SIDES["source"]


def report(truth: Path, configs: Path, *, worst: int = 15) -> Iterator[str]:
    """Shares inside: of all figures, of those of sources with few, the mean of the sources; then the worst sources."""
    found = unseen(truth, configs)
    by_source: dict[str, list[Score]] = defaultdict(list)
    for score in found:
        by_source[_source(score.case)].append(score)
    few = [score for group in by_source.values() if len(group) <= FEW for score in group]
    shares = {name: _inside(group) for name, group in by_source.items()}
    yield _line("in_interval", _inside(found), found)
    yield _line("few_figures.in_interval", _inside(few), few)
    yield _line("mean_of_sources.in_interval", sum(shares.values()) / len(shares), found)
    yield from _widths(found)
    lowest = sorted(by_source, key=lambda name: (shares[name], name))[:worst]
    yield from (f"{shares[name]:7.2f} of {len(by_source[name]):3d} figures inside: {name}" for name in lowest)


def unseen(truth: Path, configs: Path) -> list[Score]:
    """Every figure of a core row, with coefficients and ranges that its source had no part in."""
    rows = [*read_rows(truth), *(read_rows(ADDED) if truth != ADDED else ())]
    core = [case for row, case in cases(rows, configs) if isinstance(case, Case) and row["core"] == "1"]
    found, apart = ([s for case in core for s in scores(case, without(side, case))] for side in ("source", "kernel"))
    result = []
    for name in sorted({_source(case) for case in core}):
        table = _table(*([s for s in group if _source(s.case) != name] for group in (found, apart)))
        own = [case for case in core if _source(case) == name]
        result += [s for case in own for s in scores(case, table.changed(values=without("source", case).values))]
    return result


def _table(found: list[Score], apart: list[Score]) -> Coefficients:
    """The table with the ranges that these scores ask for."""
    widths = half_widths(found)
    added = regions(found, widths, apart)
    return speed().changed(half_widths=widths, regions=added.enough, few_sources=added.few)


def _widths(found: list[Score]) -> Iterator[str]:
    groups: dict[tuple[str, str], list[Score]] = defaultdict(list)
    for score in found:
        groups[score.figure, "lasting" if score.kind == "decode" else score.kind].append(score)
    for (figure, kind), group in sorted(groups.items()):
        middle = quantile([s.width for s in group], 0.5)
        yield f"{figure:11s} {kind:8s} {len(group):4d} figures, {_inside(group):.2f} inside a factor of {middle:.2f}"


def _inside(found: list[Score]) -> float:
    return sum(s.inside for s in found) / len(found)


def _line(name: str, value: float, found: list[Score]) -> str:
    return f"next-source.{name} {value:.4f} rows={len({s.case.row['id'] for s in found})}"
