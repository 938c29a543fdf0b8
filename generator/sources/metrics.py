"""A server's /metrics in Prometheus' text form: samples, percentiles of histograms, and what its cache came to."""

from __future__ import annotations

import re
import urllib.request
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from generator.errors import SourceError
from generator.models.boot import Boot
from generator.models.value import Value

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


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


_CACHE = re.compile(r"^vllm:cache_config_info\{(?P<labels>.*?)\}", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_MOST_BYTES = 8 << 20
_WAITS_S = 10


def read_metrics(source: str) -> Boot:
    """Blocks, block size and share of the GPU as the server states them; from a file, or from `http://.../metrics`.

    Raises:
        SourceError: nothing answers, the file cannot be read, or vLLM's line about its cache is missing.
    """
    found = _CACHE.search(_text(source))
    if found is None:
        raise SourceError(f"{source} has no vllm:cache_config_info: give /metrics of a vLLM server that has started")
    labels = dict(_LABEL.findall(found["labels"]))
    share = _number(labels.get("gpu_memory_utilization"))
    blocks, size = _number(labels.get("num_gpu_blocks")), _number(labels.get("block_size"))
    return Boot(
        starts=1,
        ready=True,
        utilization=share,
        blocks=None if blocks is None else int(blocks),
        block_size=None if size is None else int(size),
        concurrency=_number(labels.get("kv_cache_max_concurrency")),
    )


def _text(source: str) -> str:
    try:
        if source.startswith(("http://", "https://")):
            with urllib.request.urlopen(source, timeout=_WAITS_S) as answer:  # noqa: S310 - the scheme is checked
                return bytes(answer.read(_MOST_BYTES)).decode("utf-8", errors="replace")
        return Path(source).expanduser().read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise SourceError(f"{source} cannot be read: {why}") from error
