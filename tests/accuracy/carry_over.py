"""`carry-over`: what one recorded row of a machine teaches about its other rows, as `verify --record` would use it.

Starts (startup_logs.csv): each text model's row of a sweep in turn is recorded, and the other text models' rows of the
same machine, release and layout are planned with it. Benchmarks (bench.csv): each row of a server in turn is recorded,
and its other numbers of requests in flight are estimated with it. Coefficients are those that were fitted without the
row's source: what a stranger's machine may expect.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from itertools import permutations
from statistics import median, quantiles
from typing import TYPE_CHECKING

from generator.models.measured import Measurement, layout_key
from generator.planning.memory.budget import needs_of, requested_bytes
from generator.planning.memory.measured import KnownStart, boot_settings, logged_terms, planned_terms
from generator.planning.memory.overhead import device_total
from generator.units import GIB
from tests.accuracy import bench_rows, benchmarks, bootlogs
from tests.accuracy.bench_scores import scores as bench_scores

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.accuracy.bench_scores import Score
    from tests.accuracy.bootlogs import Scored

LEAST_ROWS = 3
_DAY = "2026-11-30"
_SERVER = (
    "source", "model_id", "weights", "gpu", "tp", "pp", "dp", "ep", "vllm_version", "input_len", "output_len",
    "length_kind",
)  # fmt: skip
"""Columns that rows of one benchmarked server share."""


def report(truth: Path, configs: Path | None, *, worst: int = 0) -> Iterator[str]:
    """Lines of the report on a file of starts, or of benchmarks: one metric each, then each sweep."""
    with truth.open(encoding="utf-8", newline="") as file:
        columns = csv.DictReader(file).fieldnames or ()
    if "avail_kv_gib" in columns:
        yield from _starts(truth, configs)
    elif configs is not None:
        yield from _servers(truth, configs)


def _starts(truth: Path, configs: Path | None) -> Iterator[str]:
    lines, every = [], []
    for name, rows in sweeps(bootlogs.scores(truth, configs, leave_out="source")[0]).items():
        before = [abs(one.kv_error or 0) / GIB for one in rows]
        after = [abs(carried(one, other)) / GIB for one, other in permutations(rows, 2)]
        every.append(median(after))
        lines.append(
            f"{name}: {len(rows)} rows; median {median(after):.3f} GiB, nine of ten {_ninth(after):.3f}; "
            f"unmeasured {median(before):.3f}, {_ninth(before):.3f}"
        )
    yield f"carry_over.memory_median_gib {median(every):.4f} sweeps={len(every)}"
    yield from lines


def sweeps(planned: list[Scored]) -> dict[str, list[Scored]]:
    """Text models' rows by machine, release and layout, where there are some."""
    found: dict[str, list[Scored]] = defaultdict(list)
    for one in planned:
        case = one.case
        if one.available is not None and not case.architecture.towers:
            found[f"{case.source} {case.gpu.name} {case.release} {layout_key(case.layout)}"].append(one)
    return {name: rows for name, rows in found.items() if len(rows) >= LEAST_ROWS}


def carried(recorded: Scored, other: Scored) -> float:
    """Error of the other row's cache memory in bytes, planned with what the recorded row taught."""
    same = recorded.case.row["model"] == other.case.row["model"]
    known = KnownStart(measurement(recorded), exact=False, same_model=same, narrow=True)
    again = bootlogs.plan(other.case, bootlogs.without("source", other.case.source), known)
    return again.kv_error or 0.0


def measurement(one: Scored) -> Measurement:
    """The row as `verify --record` keeps it."""
    case = one.case
    table = bootlogs.without("source", case.source)
    requested = requested_bytes(device_total(case.gpu, table), case.utilization).expected
    needs, otherwise = needs_of(case.replica, bootlogs.weights_of(case), requested, table)
    figures = {name: _bytes(case.figure(column)) for name, column in _COLUMNS.items()}
    terms = logged_terms(requested=requested, graphs=None, **figures)
    return Measurement(
        day=_DAY, kind="boot", gpu=case.gpu.name, release=case.release, layout=layout_key(case.layout),
        model=case.row["model"], planner="", settings=boot_settings(case.replica), measured=terms,
        planned={
            name: value
            for name, value in planned_terms(needs, otherwise, compiled_before=False).items()
            if name in terms
        },
    )  # fmt: skip


_COLUMNS = {
    "weights": "model_load_gib",
    "available": "avail_kv_gib",
    "non_torch": "non_torch_gib",
    "activation": "peak_activation_gib",
}


def _servers(truth: Path, configs: Path) -> Iterator[str]:
    servers: dict[tuple[str, ...], list[Score]] = defaultdict(list)
    for row, case in bench_rows.cases(bench_rows.read_rows(truth), configs):
        if isinstance(case, bench_rows.Case):
            found = bench_scores(case, benchmarks.without("source", case))
            servers[tuple(row[name] for name in _SERVER)] += [one for one in found if one.figure == "tpot"]
    before, after = [], []
    for rows in servers.values():
        pairs = [
            (one, other)
            for one, other in permutations(rows, 2)
            if one.case.scenario.concurrency != other.case.scenario.concurrency
        ]
        if pairs:
            before.append(median(one.error for one in rows))
            after.append(
                median(abs(other.predicted * one.measured / one.predicted / other.measured - 1) for one, other in pairs)
            )
    yield f"carry_over.tpot_median {median(after):.4f} sweeps={len(after)}"
    yield f"carry_over.tpot_median_unmeasured {median(before):.4f} sweeps={len(before)}"
    yield f"carry_over.tpot_ninth {_ninth(after):.4f} sweeps={len(after)}"


def _bytes(gib: float | None) -> int | None:
    return None if gib is None else round(gib * GIB)


def _ninth(values: list[float]) -> float:
    return quantiles(values, n=10, method="inclusive")[-1]
