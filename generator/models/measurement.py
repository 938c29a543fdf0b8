"""What was measured of a running server, beside what the plan expects."""

from typing import Literal

from generator.models.value import Value

Outcome = Literal["met", "missed", "as estimated", "better than estimated", "worse than estimated", "no estimate"]


class BenchRun(Value):
    """One concurrency as `vllm bench serve` measured it; latencies are means in ms."""

    concurrency: int
    completed: int
    failed: int = 0
    duration_s: float
    ttft_ms: float
    tpot_ms: float
    output_tokens_per_s: float
    requests_per_s: float


class Comparison(Value):
    """One measured figure beside its estimate and its target; a target decides where there is one."""

    figure: str
    unit: str
    measured: float
    expected: float | None = None
    low: float | None = None
    high: float | None = None
    target: float | None = None
    outcome: Outcome

    @property
    def fails(self) -> bool:
        """Whether it is worse than promised."""
        return self.outcome in {"missed", "worse than estimated"}


class RunCompared(Value):
    """Every figure of one run beside the plan's."""

    run: BenchRun
    figures: tuple[Comparison, ...]
