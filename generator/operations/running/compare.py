"""compared(): one measured run beside the estimate for its load and the user's targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.measured import BenchRun, Comparison, Outcome, RunCompared

if TYPE_CHECKING:
    from generator.models.estimate import Estimate, Latency, Throughput
    from generator.models.workload import Targets


def compared(run: BenchRun, estimate: Estimate | None, targets: Targets) -> RunCompared:
    """The run's latencies and throughput, each with its outcome."""
    rows = (
        ("first token", "ms", run.ttft_ms, estimate and estimate.ttft_ms, targets.ttft_ms),
        ("each further token", "ms", run.tpot_ms, estimate and estimate.tpot_ms, targets.tpot_ms),
        ("output", "tokens/s", run.output_tokens_per_s, estimate and estimate.output_tokens_per_s, None),
        ("requests", "1/s", run.requests_per_s, estimate and estimate.requests_per_s, targets.requests_per_s),
    )
    return RunCompared(run=run, figures=tuple(_row(*row) for row in rows))


def _row(
    figure: str, unit: str, measured: float, expected: Latency | Throughput | None, target: float | None
) -> Comparison:
    lower_is_better = unit == "ms"
    return Comparison(
        figure=figure,
        unit=unit,
        measured=measured,
        expected=expected.mean if expected else None,
        low=expected.low if expected else None,
        high=expected.high if expected else None,
        target=target,
        outcome=_outcome(measured, expected, target, lower_is_better=lower_is_better),
    )


def _outcome(
    measured: float, expected: Latency | Throughput | None, target: float | None, *, lower_is_better: bool
) -> Outcome:
    if target is not None:
        return "met" if (measured <= target) is lower_is_better or measured == target else "missed"
    if expected is None:
        return "no estimate"
    if expected.low <= measured <= expected.high:
        return "as estimated"
    return "better than estimated" if (measured < expected.low) is lower_is_better else "worse than estimated"
