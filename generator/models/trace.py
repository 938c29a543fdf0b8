"""Trace: requests that were recorded, summarised by what a plan counts with."""

from math import ceil
from typing import Any, Literal

from generator.models.value import Value

TraceFormat = Literal["azure", "burstgpt", "mooncake", "vllm bench"]


class Spread(Value):
    """Tokens of the requests: their mean and percentiles."""

    mean: float
    p50: int
    p95: int
    p99: int
    most: int


class ArrivalRates(Value):
    """Requests a second, over the whole trace and over its minutes."""

    mean: float
    busy: float
    """Of the minute that 95 of 100 do not surpass; of the whole trace where it is shorter than two minutes."""
    most: float
    """Of the busiest minute."""


class Trace(Value):
    """What a trace says of a workload."""

    format: TraceFormat
    sha256: str
    """Digest of the file."""
    requests: int
    left_out: int = 0
    """Requests without a prompt or an answer, which count for nothing."""
    span_s: float | None = None
    """Seconds from the first arrival to the last; None where no arrivals are recorded."""
    rates: ArrivalRates | None = None
    prompt_tokens: Spread
    gen_tokens: Spread
    longest_request_tokens: int
    """Prompt and answer of the longest request, for which the context must have room."""
    concurrency: int | None = None
    """Requests in flight at most, where the file states them."""
    prefix_reuse: float | None = None
    """Share of prompt tokens in blocks that an earlier request began with: what a cache without end would hold."""

    @property
    def answers(self) -> dict[str, Any]:
        """Fields of a request that the trace states: mean lengths, and the busy rate or the requests in flight."""
        found: dict[str, Any] = {
            "prompt_tokens": max(1, ceil(self.prompt_tokens.mean)),
            "gen_tokens": max(1, ceil(self.gen_tokens.mean)),
        }
        if self.concurrency is not None:
            return found | {"concurrency": self.concurrency}
        return found | ({"requests_per_s": float(f"{self.rates.busy:.4g}")} if self.rates else {})
