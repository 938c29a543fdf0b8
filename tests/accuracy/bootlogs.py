"""Memory plans against public startup logs: `bootlogs.*`, the worst rows with an explanation each.

`leave_source_out` scores each start with coefficients fitted without its source (`.github/scripts/fit_overheads.py`):
what a stranger's start may expect; so do `leave_gpu_out` and `leave_model_out`. What the fit never saw has the full
ones.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import mean, median, quantiles
from typing import TYPE_CHECKING

from generator.catalogue.overheads import overheads
from generator.errors import GeneratorError
from generator.planning.memory.budget import budget, verdict
from generator.planning.memory.unbudgeted import left_over, outside_bytes
from generator.planning.weights.rank import rank_weights
from generator.planning.weights.retained import retained_bytes
from generator.units import GIB
from tests.accuracy.explanations import explanation
from tests.accuracy.startup_rows import Case, cases, every_row, is_stock

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from generator.models.overheads import OverheadTable
    from generator.models.plan import MemoryBudget
    from generator.models.verdict import OOMRisk, Verdict
    from generator.planning.kv_cache.layout import CacheLayout
    from generator.planning.memory.measured import KnownStart

FOLDS = Path(__file__).parent / "data" / "overhead_folds.json"
LEFT_OUT = "bootlogs.leave_source_out"
SIDES: dict[str, Callable[[Case], str]] = {
    "gpu": lambda case: case.gpu.name,
    "model": lambda case: case.row["config_file"] or case.row["model"],
    "source": lambda case: case.source,
}
"""What coefficients were fitted without, by the name that a start has of it."""
ENOUGH_FOR_P90 = 40
_LOGGED_DIGIT = GIB // 100
"""Logs round to a hundredth of a GiB."""


@dataclass(frozen=True)
class Scored:
    """One start with its plan; a figure is None where the row does not log it."""

    case: Case
    memory: MemoryBudget
    cache: CacheLayout
    verdict: Verdict
    risk: OOMRisk

    @property
    def weights_error(self) -> float | None:
        """Error of loaded weights, relative to what was loaded."""
        load = self.case.figure("model_load_gib")
        return None if load is None else self.memory.weights_bytes.expected / (load * GIB) - 1

    @property
    def available(self) -> float | None:
        """Cache memory as logged, in bytes, where the row states the utilization that it had."""
        logged = self.case.figure("avail_kv_gib")
        return logged * GIB if logged is not None and self.case.utilization_stated else None

    @property
    def kv_error(self) -> float | None:
        """Error of available cache memory in bytes: planned less logged."""
        return None if self.available is None else self.memory.kv_cache_available_bytes.expected - self.available

    @property
    def inside(self) -> bool | None:
        """Whether the logged memory lies in the stated interval."""
        if self.available is None:
            return None
        stated = self.memory.kv_cache_available_bytes
        return stated.low - _LOGGED_DIGIT <= self.available <= stated.high + _LOGGED_DIGIT

    @property
    def reach(self) -> float | None:
        """Distance of the logged memory from the expected one, of the range on its side; inside up to 1."""
        if self.kv_error is None:
            return None
        stated = self.memory.kv_cache_available_bytes
        side = stated.expected - stated.low if self.kv_error > 0 else stated.high - stated.expected
        return max(0.0, abs(self.kv_error) - _LOGGED_DIGIT) / side

    @property
    def width(self) -> float:
        """Width of the interval relative to the GPU."""
        stated = self.memory.kv_cache_available_bytes
        return (stated.high - stated.low) / self.memory.gpu_total_bytes.expected

    @property
    def concurrency_error(self) -> float | None:
        """Error of the concurrency that vLLM logs, relative to it."""
        length, logged = self.case.figure("concurrency_len"), self.case.figure("concurrency_x")
        if not length or not logged or not self.case.utilization_stated:
            return None
        engines = self.case.layout.data_parallel_size if "TOTAL over" in self.case.row["notes"] else 1
        planned = self.cache.max_concurrency(max(0, self.memory.kv_cache_available_bytes.expected), int(length))
        return engines * planned / logged - 1


def weights_of(case: Case) -> int:
    """Weights of the worst rank of a start, in bytes.

    Raises:
        GeneratorError: the planner refuses the model or the arguments.
    """
    triton = case.replica.release.has("bundles_triton_kernels")
    weights = rank_weights(
        case.architecture,
        case.quantization,
        case.layout,
        dtype=case.row["dtype"] or None,
        capability=case.gpu.capability,
        drafts=len(case.architecture.drafts) if "mtp" in case.row["speculative"] else 0,
        language_model_only=case.text_only,
        triton=triton,
    )
    retained = retained_bytes(case.architecture, case.quantization, case.layout, case.gpu.capability, triton=triton)
    return weights.worst.total_bytes + retained


def plan(case: Case, table: OverheadTable, known: KnownStart | None = None) -> Scored:
    """The planner's budget and verdict for a start, with what another start of the machine taught where one is known.

    Raises:
        GeneratorError: the planner refuses the model or the arguments.
    """
    settings = case.settings
    drafted = {} if settings.speculative_method == "mtp" else {"num_speculative_tokens": 0}
    cache = case.replica.with_settings(**drafted).cache
    memory = budget(
        case.replica,
        weights_bytes=weights_of(case),
        utilization=case.utilization,
        table=table,
        known=known,
    )
    needed = max(cache.min_bytes_to_start(case.replica.max_model_len), default=0)
    result, risk = verdict(memory, needed)
    left = left_over(case.replica.cluster, case.utilization, table)
    if risk == "LOW" and left < outside_bytes(case.replica, table).high:
        risk = "MEDIUM"
    free = case.figure("initial_free_gib")
    if free is not None and free * GIB < memory.requested_bytes.expected - _LOGGED_DIGIT:
        result, risk = "does_not_fit", "HIGH"
    return Scored(case=case, memory=memory, cache=cache, verdict=result, risk=risk)


def scores(truth: Path, configs: Path | None, *, leave_out: str = "") -> tuple[list[Scored], list[str]]:
    """Every stock start with its plan, and the rows that could not be asked, each with the reason.

    With `leave_out` (a name of `SIDES`) each is planned with coefficients that were fitted without its own.
    """
    planned, left_out = [], []
    for row, found in cases([row for row in every_row(truth) if is_stock(row)], configs):
        if isinstance(found, str):
            left_out.append(f"{row['id']} {row['model']}: {found}")
            continue
        try:
            planned.append(plan(found, without(leave_out, SIDES[leave_out](found)) if leave_out else overheads()))
        except GeneratorError as error:
            left_out.append(f"{row['id']} {row['model']}: {error}")
    return planned, left_out


@cache
def without(side: str, name: str) -> OverheadTable:
    """The coefficients that were fitted without a source, GPU or model; all of them where the fit had none of it."""
    table = overheads()
    found = json.loads(FOLDS.read_text(encoding="utf-8"))[side].get(name)
    if found is None:
        return table
    terms = tuple(
        term.changed(expected=expected, low=low, high=high)
        for term, (expected, low, high) in zip(table.terms, found, strict=True)
    )
    return table.changed(terms=terms)


def report(truth: Path, configs: Path | None, *, worst: int = 8, leave_out: str = "") -> list[str]:
    """Lines of the report: one metric each, then the worst rows with an explanation each.

    With `leave_out` (a name of `SIDES`) all of it is on plans whose coefficients the row's own did not teach.
    """
    planned, left_out = scores(truth, configs, leave_out=leave_out)
    unseen = [] if leave_out else metrics(scores(truth, configs, leave_out="source")[0], LEFT_OUT)
    return [
        *unseen,
        *metrics(planned, f"bootlogs.leave_{leave_out}_out" if leave_out else "bootlogs"),
        f"rows of stock releases on discrete GPUs without a plan: {len(left_out)}",
        *(f"  {line}" for line in left_out),
        *_worst("loaded weights", planned, "weights_error", worst),
        *_worst("available cache memory, of requested", planned, "kv_share", worst),
        *_worst("concurrency", planned, "concurrency_error", worst),
        *(_outside(planned)),
        *(_verdicts(planned)),
    ]


def run(options: argparse.Namespace) -> int:
    """Print the report on the truth file of `options`."""
    sys.stdout.write("\n".join(report(options.truth, options.configs, worst=options.worst)) + "\n")
    return 0


def relative(one: Scored, name: str) -> float | None:
    """One of the relative errors by name."""
    if name == "kv_share":
        return None if one.kv_error is None else one.kv_error / one.memory.requested_bytes.expected
    if name == "pool_share":
        return None if one.kv_error is None or not one.available else one.kv_error / one.available
    value: float | None = getattr(one, name)
    return value


def errors(planned: list[Scored], name: str) -> list[float]:
    """Absolute relative errors of the rows that log the figure."""
    return [abs(value) for one in planned if (value := relative(one, name)) is not None]


def metrics(planned: list[Scored], prefix: str = "bootlogs") -> list[str]:
    """The lines of one set of plans, each with the rows that it rests on."""
    ran = [one for one in planned if one.case.ran]
    failed = [one for one in planned if not one.case.ran]
    inside = [one.inside for one in planned if one.inside is not None]
    widths = [one.width for one in planned if one.inside is not None]
    lines = [
        *_spread("weights", errors(planned, "weights_error")),
        *_spread("kv", errors(planned, "kv_share")),
        _line("kv_pool_median", median, errors(planned, "pool_share")),
        _line("concurrency_median", median, errors(planned, "concurrency_error")),
        _line("in_interval", mean, inside),
        _line("interval_width", mean, widths),
        _line("failures_caught", mean, [one.risk != "LOW" for one in failed]),
        _line("false_refusals", mean, [one.verdict == "does_not_fit" for one in ran]),
        _line("high_risk_on_ok", mean, [one.risk == "HIGH" for one in ran]),
    ]
    return [f"{prefix}.{line}" for line in lines]


def _spread(name: str, found: list[float]) -> list[str]:
    """Median and 90th percentile; the worst row stands in where the rows are too few for one."""
    few = " (too few rows: see the worst)" if len(found) < ENOUGH_FOR_P90 else ""
    top = quantiles(found, n=10, method="inclusive")[-1] if len(found) > 1 else max(found, default=0.0)
    return [_line(f"{name}_median", median, found), f"{name}_p90 {top:.4f} rows={len(found)}{few}"]


def _line(name: str, statistic: object, found: list[float] | list[bool]) -> str:
    value = statistic(found) if found and callable(statistic) else 0.0
    return f"{name} {value:.4f} rows={len(found)}"


def _worst(title: str, planned: list[Scored], name: str, worst: int) -> list[str]:
    rated = [(value, one) for one in planned if (value := relative(one, name)) is not None]
    rated.sort(key=lambda pair: -abs(pair[0]))
    return [
        f"worst rows, {title}:",
        *(f"  {value:+.3f} {_label(one)}: {explanation(one, name)}" for value, one in rated[:worst]),
    ]


def _outside(planned: list[Scored]) -> list[str]:
    return [
        "rows outside the interval:",
        *(
            f"  {_label(one)} {_interval(one)}: {explanation(one, 'kv_share')}"
            for one in planned
            if one.inside is False
        ),
    ]


def _verdicts(planned: list[Scored]) -> list[str]:
    odd = [one for one in planned if one.case.ran == (one.verdict == "does_not_fit") or one.risk == "HIGH"]
    return [
        "verdicts other than fits:",
        *(f"  {_label(one)} {one.verdict} ({'ran' if one.case.ran else 'failed'}) {_interval(one)}" for one in odd),
    ]


def _interval(one: Scored) -> str:
    stated = one.memory.kv_cache_available_bytes
    logged = f"{one.available / GIB:.2f}" if one.available is not None else "none"
    need = max(one.cache.min_bytes_to_start(one.case.replica.max_model_len), default=0)
    planned = f"{stated.expected / GIB:.2f} [{stated.low / GIB:.2f}, {stated.high / GIB:.2f}]"
    return f"logged {logged}, planned {planned}, one request {need / GIB:.2f} GiB"


def _label(one: Scored) -> str:
    row = one.case.row
    ranks = f"tp{one.case.layout.tensor_parallel_size}"
    return f"{one.case.id} {row['model']} {ranks} vLLM {one.case.release} {row['gpu']}"
