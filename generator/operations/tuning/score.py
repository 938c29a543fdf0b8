"""One figure for a measured load, and when one is better than another."""

from collections.abc import Sequence

from generator.models.measured import BenchRun
from generator.models.tuning import HeldOut
from generator.models.workload import BatchingMode, Targets

_LEAST_GAIN = 0.01
"""Gains below are not worth another value, however steady the figures are."""


def unit(mode: BatchingMode) -> str:
    """What a score counts."""
    return "tokens/s a request" if mode == "latency" else "tokens/s"


def score(run: BenchRun, targets: Targets, mode: BatchingMode) -> float:
    """Output tokens a second, of one request where latency is favoured.

    A missed latency target takes off as much as it is missed by, and so does each request that failed.
    """
    found = 1000 / run.tpot_ms if mode == "latency" and run.tpot_ms else run.output_tokens_per_s
    for measured, target in ((run.ttft_ms, targets.ttft_ms), (run.tpot_ms, targets.tpot_ms)):
        if target and measured > target:
            found *= target / measured
    return found * run.completed / (run.completed + run.failed)


def held(scores: Sequence[float]) -> HeldOut:
    """Mean and spread of the scores of one server."""
    mean = sum(scores) / len(scores)
    return HeldOut(mean=mean, spread=(max(scores) - min(scores)) / mean if mean else 0.0)


def wins(new: HeldOut, best: HeldOut) -> bool:
    """Whether the gain is larger than what either server differs from itself by."""
    return new.mean > best.mean * (1 + max(_LEAST_GAIN, new.spread, best.spread))
