"""`benchmarks`: the speed estimates against what real vLLM servers measured.

Metrics are taken over core rows of tiers A and B without speculation; rows that the planner cannot be asked about are
counted by reason. `leave_source_out` and the like score each row with coefficients fitted without its source, its GPU,
its model, or its kernel on its GPU generation (`.github/scripts/fit_speed.py`), the last with the range of a kernel
that no source shows; what the fit never saw has the full ones.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from functools import cache
from math import exp
from pathlib import Path
from typing import TYPE_CHECKING

from generator.catalogue.speed import speed
from generator.models.speed import Coefficients, release_range
from generator.planning.speed.regions import kernel_region
from tests.accuracy.bench_rows import Case, cases, read_rows
from tests.accuracy.bench_scores import Score, quantile, scores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOLDS = Path(__file__).parent / "data" / "speed_folds.json"


def model_class(case: Case) -> str:
    """Dense or mixture of experts, with the kind of attention that is not plain."""
    work = case.footprint
    kind = "moe" if work.moe_layers else "dense"
    special = {"latent": work.latent_layers, "state": work.state_layers, "sparse": work.sparse_layers}
    return " ".join([kind, *(name for name, layers in special.items() if layers)])


SIDES: dict[str, Callable[[Case], str]] = {
    "gpu": lambda case: case.gpu.name,
    "model": lambda case: case.row["config_dir"],
    "source": lambda case: case.row["source"],
    "kernel": lambda case: kernel_region(case.footprint, case.gpu),
}
_VIEWS: dict[str, Callable[[Case], str]] = {
    "gpu": lambda case: case.gpu.name,
    "model class": model_class,
    "weights": lambda case: case.row["weights"],
    "kernel": lambda case: kernel_region(case.footprint, case.gpu),
    "source": lambda case: case.row["source"],
    "release": lambda case: f"{case.release} ({release_range(case.release)})",
}


def report(truth: Path, configs: Path, *, worst: int = 15, leave_out: str = "") -> Iterator[str]:
    """Lines of the report: metrics, excluded rows, figures by view, the worst rows.

    With `leave_out` (a name of `SIDES`) all of it is with coefficients that were fitted without the row's own.
    """
    core, excluded = _asked(truth, configs)
    found: list[Score] = []
    for side in (leave_out,) if leave_out else (*SIDES, ""):
        found = [score for case in core for score in scores(case, without(side, case))]
        yield from _metrics(f"benchmarks.leave_{side}_out" if side else "benchmarks", found)
    yield ""
    yield f"rows: {len(core)} core rows scored"
    yield from (f"excluded: {count} core rows: {reason}" for reason, count in excluded.most_common())
    for view, key in _VIEWS.items():
        yield from _view(view, key, found)
    yield from _worst(found, worst)


def _asked(truth: Path, configs: Path) -> tuple[list[Case], Counter[str]]:
    core: list[Case] = []
    excluded: Counter[str] = Counter()
    for row, found in cases(read_rows(truth), configs):
        if row["core"] != "1":
            continue
        if isinstance(found, Case):
            core.append(found)
        else:
            excluded[found] += 1
    return core, excluded


def _metrics(prefix: str, found: list[Score]) -> Iterator[str]:
    by_figure = {figure: [s for s in found if s.figure == figure] for figure in ("tpot", "ttft", "throughput")}
    for figure, share, name in (
        ("tpot", 0.5, "tpot_median"),
        ("tpot", 0.9, "tpot_p90"),
        ("ttft", 0.5, "ttft_median"),
        ("ttft", 0.9, "ttft_p90"),
    ):
        yield _line(prefix, name, quantile([s.error for s in by_figure[figure]], share), by_figure[figure])
    crowded = [s for s in by_figure["ttft"] if s.crowded]
    if crowded:
        yield _line(prefix, "ttft_bias_c128", abs(bias(crowded)), crowded)
    rates = by_figure["throughput"]
    yield _line(prefix, "throughput_median", quantile([s.error for s in rates], 0.5), rates)
    yield _line(prefix, "in_interval", sum(s.inside for s in found) / len(found), found)


def bias(found: list[Score]) -> float:
    """Median of predicted over measured, less 1: negative where the estimate is too fast."""
    return exp(quantile([s.log_error for s in found], 0.5)) - 1


def _line(prefix: str, name: str, value: float, found: list[Score]) -> str:
    return f"{prefix}.{name} {value:.4f} rows={len({s.case.row['id'] for s in found})}"


def without(side: str, case: Case) -> Coefficients:
    """The coefficients that the row's GPU, model or source did not teach; the full ones without a side."""
    if not side:
        return speed()
    table = _fold_tables().get((side, SIDES[side](case)), speed())
    return as_unseen(table, case) if side == "kernel" else table


def as_unseen(table: Coefficients, case: Case) -> Coefficients:
    """The table as it would be if no source showed the row's kernel."""
    name = SIDES["kernel"](case)
    regions, few = ({k: v for k, v in known.items() if k != name} for known in (table.regions, table.few_sources))
    return table.changed(regions=regions, few_sources=few)


@cache
def _fold_tables() -> dict[tuple[str, str], Coefficients]:
    folds = json.loads(FOLDS.read_text(encoding="utf-8"))
    full = speed()
    return {
        (side, name): full.changed(values=values) for side, tables in folds.items() for name, values in tables.items()
    }


def _view(view: str, key: Callable[[Case], str], found: list[Score]) -> Iterator[str]:
    yield ""
    yield f"{'by ' + view:44s} {'figure':10s} {'rows':>5s} {'median':>7s} {'p90':>7s} {'bias':>7s} {'inside':>7s}"
    groups: dict[tuple[str, str], list[Score]] = defaultdict(list)
    for score in found:
        groups[key(score.case), score.figure].append(score)
    for (name, figure), group in sorted(groups.items()):
        errors = [s.error for s in group]
        inside = sum(s.inside for s in group) / len(group)
        yield (
            f"{name[:44]:44s} {figure:10s} {len(group):5d} {quantile(errors, 0.5):7.3f}"
            f" {quantile(errors, 0.9):7.3f} {bias(group):+7.3f} {inside:7.2f}"
        )


def _worst(found: list[Score], count: int) -> Iterator[str]:
    yield ""
    yield "worst rows (predicted / measured)"
    for score in sorted(found, key=lambda s: -abs(s.log_error))[:count]:
        row = score.case.row
        yield (
            f"{row['id']} {score.figure} {score.predicted:.4g} / {score.measured:.4g} {row['gpu']} tp{row['tp']}"
            f" {row['config_dir']} {row['weights']} in {row['input_len']} out {row['output_len']}"
            f" c {row['concurrency'] or '-'} n {row['num_prompts'] or '-'}"
        )
