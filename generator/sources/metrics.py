"""Metrics: vLLM's /metrics in Prometheus' text form, and percentiles of its histograms."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from generator.models.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable

_LINE = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})?\s+(?P<value>\S+)")
_BOUND = re.compile(r'(?:^|,)le="([^"]+)"')


class Histogram(Value):
    """Counts of observations at or below each bound, over all engines; bounds ascend, the last is infinite."""

    buckets: tuple[tuple[float, float], ...] = ()
    total: float = 0
    """Sum of the observations."""

    @property
    def count(self) -> float:
        """Observations."""
        return self.buckets[-1][1] if self.buckets else 0

    @property
    def mean(self) -> float | None:
        """Mean of the observations; None without one."""
        return self.total / self.count if self.count else None

    def percentile(self, share: float) -> float | None:
        """The value below which `share` of the observations lie, between bounds in proportion; None without one."""
        wanted, before, below = share * self.count, 0.0, 0.0
        for bound, count in self.buckets:
            if self.count and count >= wanted:
                inside = (wanted - below) / (count - below) if count > below else 1.0
                return before if bound == float("inf") else before + (bound - before) * inside
            before, below = bound, count
        return None

    def since(self, earlier: Histogram) -> Histogram:
        """What came after an earlier reading; all of it where the server was started again between them."""
        old = dict(earlier.buckets)
        if earlier.count > self.count:
            return self
        buckets = tuple((bound, count - old.get(bound, 0)) for bound, count in self.buckets)
        return Histogram(buckets=buckets, total=self.total - earlier.total)


class Metrics(Value):
    """One reading: sums over all engines by name, and histograms by name."""

    values: dict[str, float]
    histograms: dict[str, Histogram]

    def value(self, *names: str) -> float | None:
        """The first of these names that the release has."""
        return next((self.values[name] for name in names if name in self.values), None)

    def histogram(self, *names: str) -> Histogram:
        """The first of these names that the release has; an empty one without."""
        return next((self.histograms[name] for name in names if name in self.histograms), Histogram())


def parse(lines: Iterable[str]) -> Metrics:
    """Every sample of the text; what is no sample is passed over."""
    values: dict[str, float] = defaultdict(float)
    buckets: dict[str, dict[float, float]] = defaultdict(lambda: defaultdict(float))
    for line in lines:
        found = None if line.startswith("#") else _LINE.match(line)
        number = _number(found["value"]) if found else None
        if found is None or number is None:
            continue
        name = found["name"]
        bound = _BOUND.search(found["labels"] or "")
        if bound and name.endswith("_bucket"):
            buckets[name.removesuffix("_bucket")][float(bound[1])] += number
        else:
            values[name] += number
    histograms = {
        name: Histogram(buckets=tuple(sorted(counts.items())), total=values.get(f"{name}_sum", 0.0))
        for name, counts in buckets.items()
    }
    return Metrics(values=dict(values), histograms=histograms)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
