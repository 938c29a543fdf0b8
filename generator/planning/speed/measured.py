"""Estimates beside a benchmark of the deployment's own machine: the ratio of measured to planned carries over.

What an estimate misses of a server (kernels, clocks, the host's own pace) is much the same at other numbers of requests
in flight: from one benchmarked row, others of the same server came within 5 % of time per output token in the median
(`python -m tests.accuracy carry-over`), nine of ten within 20 %.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.estimate import Estimate, Latency, Throughput
from generator.models.measured import Measurement, layout_key, measurement_key
from generator.models.parallelism import Layout

if TYPE_CHECKING:
    from generator.planning.case import Case

_SAME = 1.08
"""Factor that holds a repeated benchmark of the same load."""
_OTHERS = 1.2
"""Factor that holds nine of ten other loads of the benchmarked server."""


def known_bench(case: Case, layout: Layout) -> Measurement | None:
    """The benchmark of this model, GPU and release: of the layout, else of another; None where there is none."""
    own = case.request.measured.get(measurement_key(case.gpu.name, case.release, layout_key(layout), "bench"))
    others = (one for _, one in sorted(case.request.measured.items()))
    for one in (own, *others):
        if one is not None and one.kind == "bench" and _is_of(one, case):
            return one
    return None


def as_benchmarked(case: Case, layout: Layout, found: Estimate, in_flight: int) -> Estimate:
    """The estimate, each figure times what the benchmark came to over what was planned for it.

    The ratio holds for every layout alike, so that none is preferred for having been measured; ranges shrink for the
    measured one alone.
    """
    known = known_bench(case, layout)
    if known is None:
        return found
    own = known.layout == layout_key(layout)
    width = (_SAME if _same_load(known, case, in_flight) else _OTHERS) if own else None
    each, first = _ratio(known, "tpot_ms"), _ratio(known, "ttft_ms")
    rate = _ratio(known, "output_tokens_per_s") if "output_tokens_per_s" in known.measured else 1 / each
    steps = max(case.load.gen_tokens - 1, 0)
    before = found.ttft_ms.mean + steps * found.tpot_ms.mean
    whole = (found.ttft_ms.mean * first + steps * found.tpot_ms.mean * each) / before if before else 1.0
    where = "" if own else f" ({known.layout})"
    return found.model_copy(
        update={
            "ttft_ms": _latency(found.ttft_ms, first, width),
            "tpot_ms": _latency(found.tpot_ms, each, width),
            "itl_ms": _latency(found.itl_ms, each, width),
            "e2e_ms": _latency(found.e2e_ms, whole, width),
            "output_tokens_per_s": _throughput(found.output_tokens_per_s, rate, width),
            "requests_per_s": _throughput(found.requests_per_s, rate, width),
            "calibration": f"as benchmarked here on {known.day}{where}; {found.calibration}",
        }
    )


def _is_of(one: Measurement, case: Case) -> bool:
    """Whether a benchmark is of this model on this GPU and release, and of the plan's own base."""
    same = (one.gpu, one.release, one.model) == (case.gpu.name, case.release, case.facts.id)
    return same and one.planner == case.tables.planner


def _same_load(one: Measurement, case: Case, in_flight: int) -> bool:
    load = {"concurrency": in_flight, "prompt_tokens": case.load.prompt_tokens, "gen_tokens": case.load.gen_tokens}
    return all(one.settings.get(name) == value for name, value in load.items())


def _ratio(one: Measurement, name: str) -> float:
    measured, planned = one.measured.get(name), one.planned.get(name)
    return measured / planned if measured and planned else 1.0


def _latency(figure: Latency, ratio: float, width: float | None) -> Latency:
    scaled = {name: getattr(figure, name) * ratio for name in type(figure).model_fields}
    if width is not None:
        scaled |= {
            "low": max(scaled["low"], scaled["mean"] / width),
            "high": min(scaled["high"], scaled["mean"] * width),
        }
        scaled |= {
            "p95_low": max(scaled["p95_low"], scaled["p95"] / width),
            "p95_high": min(scaled["p95_high"], scaled["p95"] * width),
        }
    return type(figure).model_validate(scaled)


def _throughput(figure: Throughput, ratio: float, width: float | None) -> Throughput:
    mean, low, high = (one * ratio for one in (figure.mean, figure.low, figure.high))
    if width is not None:
        low, high = max(low, mean / width), min(high, mean * width)
    return type(figure)(mean=mean, low=low, high=high)
