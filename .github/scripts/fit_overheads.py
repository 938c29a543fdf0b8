"""Fit the coefficients of generator/catalogue/overheads.toml to public startup logs; deterministic, offline.

    python .github/scripts/fit_overheads.py --truth startup_logs.csv --configs hf_configs [--write]

A term's observations are the rows where it can be told apart: the component that vLLM logged, or what is left
of utilization x total - weights - cache once the other terms have their present values. Rows of one
sweep (same model, build and layout) count as one; above eight sweeps those of stock releases count twice.
Graphs are read on unified memory too, all else on discrete GPUs only. The figure is the median, its range the
whole spread up to eight observations and the middle 80 % above. Which phase of the profile decides is told by
the mechanism's own reference figures, never by fitted ones, so that no term explains another's rows away.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from math import log2, sqrt
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from generator.catalogue.overheads import overheads  # noqa: E402
from generator.errors import GeneratorError  # noqa: E402
from generator.models.architecture import Architecture  # noqa: E402
from generator.models.overheads import OverheadTable, release_key  # noqa: E402
from generator.planning import overhead  # noqa: E402
from generator.units import GIB, MIB  # noqa: E402
from tests.accuracy.startup_rows import Case, case, every_row, read_model  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from generator.models.overheads import Term

TABLE = ROOT / "generator" / "catalogue" / "overheads.toml"
SHAPES = ROOT / "tests" / "accuracy" / "data" / "shapes.json"
_RELEASE = re.compile(r"0\.[2-9]\d*(\.\d+)*|0\.1\d(\.\d+)*")
ROUNDS = 6
FEW = 8
ENOUGH_GRAPHS = 500
"""Captured sizes times layers below which the fixed part of the graphs hides their slope."""
NOISE = GIB // 4
"""A remainder this little below zero says that nothing is left, not that another term is wrong."""
LEAST_SPREAD = 0.5
"""Half-width of a range that rests on one observation, as a share; it falls with the root of their number."""
FITTED = (
    "context_mib",
    "collectives_nvlink_mib",
    "collectives_pcie_mib",
    "token_factor",
    "sampler_v1",
    "sampler_v2",
    "encoder_factor",
    "encoder_fixed_factor",
    "graph_layer_kib",
    "graph_actual_kib",
)


REFERENCE = {
    "token_factor": 1.0,
    "sampler_v1": 38.4,
    "sampler_v2": 4.0,
    "encoder_factor": 1.0,
    "encoder_fixed_factor": 0.8,
}
"""Bytes a unit by the mechanism alone; `sampler_v1` without a sort from 0.16 on: four fp32 copies."""
REFERENCE_NO_SORT = 16.0
BUILDS = {"0.1.dev15917+g0a6396b45": "0.20.0", "0.1.dev16040+g93ea1fcd5.d20260508": "0.20.0"}
"""Builds between releases, by the release that their log lines match."""
DOMINANT = 1.1
"""A phase is told apart where it is this much larger than every other."""


class Seen(NamedTuple):
    """One observation of a term: which row of the table, which sweep, what figure it implies."""

    term: str
    since: str
    sweep: str
    row: str
    stock: bool
    value: float


def observations(truth: Path, configs: Path) -> list[Case]:
    """Every start that can be read, from config.json or from the committed shapes."""
    shapes = json.loads(SHAPES.read_text(encoding="utf-8"))
    found = []
    for row in every_row(truth):
        shape = shapes.get(row["id"])
        own = Architecture.model_validate(shape["architecture"]) if shape else None
        release = _RELEASE.match(row["vllm_version"])
        named = BUILDS.get(row["vllm_version"], release[0] if release else "")
        if (own is None and not row["config_file"]) or not named:
            continue
        try:
            model = (own, None) if own else read_model(row, configs)
            found.append(case(row, *model, named))
        except (GeneratorError, ValueError) as error:
            print(f"{row['id']} left out: {error}", file=sys.stderr)
    return found


def seen(start: Case, table: OverheadTable) -> Iterator[Seen]:
    """Every observation that one start gives."""
    yield from _graphs(start, table)
    if not start.discrete or (start.settings.encoder_tokens and not start.architecture.towers):
        return
    yield from _logged(start, table)
    need = _need(start, table)
    if need is not None and start.ran:
        yield from _left_over(start, table, need)


def _need(start: Case, table: OverheadTable) -> float | None:
    """Bytes between requested memory and weights plus cache; None where the row does not say."""
    load, available = start.figure("model_load_gib"), start.figure("avail_kv_gib")
    if load is None or available is None or not start.utilization_stated:
        return None
    total = overhead.device_total(start.gpu, table).expected
    return start.settings.gpu_memory_utilization * total - (load + available) * GIB


def _phases(start: Case) -> dict[str, int]:
    """Units of each phase of the profile."""
    settings, architecture = start.settings, start.architecture
    units = {"token_factor": overhead.token_bytes(architecture, start.layout, settings)}
    if settings.samples:
        runner = overhead.model_runner(architecture, start.release)
        units[f"sampler_{runner}"] = overhead.logits(architecture, settings, runner)
    if settings.encoder_tokens and architecture.towers:
        units[overhead.encoder_term(architecture)] = overhead.encoder_bytes(architecture, settings)
    return units


def _peak(start: Case) -> tuple[str, int, bool]:
    """The phase that decides, its units, and whether it stands apart from the others."""
    units = _phases(start)
    reference = REFERENCE | ({"sampler_v1": REFERENCE_NO_SORT} if release_key(start.release) >= (0, 16) else {})
    sizes = sorted(((reference[name] * count, name) for name, count in units.items()), reverse=True)
    apart = len(sizes) == 1 or sizes[0][0] > DOMINANT * sizes[1][0]
    return sizes[0][1], units[sizes[0][1]], apart


def _left_over(start: Case, table: OverheadTable, need: float) -> Iterator[Seen]:
    """What the row's remainder says: of the collectives where there are any, else of the deciding phase."""
    release = start.release
    graphs = _subtracted(start, table)
    persistent = overhead.persistent_buffers(start.architecture, start.settings, release=release).expected
    context = table.term("context_mib", release).expected * MIB
    phase, units, apart = _peak(start)
    peak = start.figure("peak_activation_gib")
    taken = table.term(phase, release).expected * units + graphs if peak is None else peak * GIB
    if start.world > 1 and start.figure("non_torch_gib") is None:
        left = need - persistent - context - taken
        left = max(left, 0) if left > -NOISE else left
        yield _one(start, table, f"collectives_{start.link}_mib", left / MIB / log2(start.world))
    elif start.world == 1 and peak is not None and start.figure("non_torch_gib") is None:
        yield _one(start, table, "context_mib", (need - persistent - taken) / MIB)
    elif start.world == 1 and peak is None and apart:
        yield _one(start, table, phase, (need - persistent - context - graphs) / units)


def _subtracted(start: Case, table: OverheadTable) -> float:
    """Bytes that this start subtracted for graphs: as logged, else as the table has them."""
    planned = overhead.cuda_graph_estimate(
        start.architecture, start.settings, start.gpu.capability, release=start.release, table=table
    ).expected
    logged = start.figure("cudagraph_est_gib")
    return logged * GIB if planned and logged is not None else planned


def _logged(start: Case, table: OverheadTable) -> Iterator[Seen]:
    """Components that vLLM logs by name."""
    peak, other = start.figure("peak_activation_gib"), start.figure("non_torch_gib")
    context = table.term("context_mib", start.release).expected * MIB
    phase, units, apart = _peak(start)
    if peak is not None and apart and not _subtracted(start, table):
        yield _one(start, table, phase, peak * GIB / units)
    if other is not None and start.world > 1:
        left = (other * GIB - context) / MIB / log2(start.world)
        yield _one(start, table, f"collectives_{start.link}_mib", left)
    elif other is not None:
        yield _one(start, table, "context_mib", other * GIB / MIB)


def _graphs(start: Case, table: OverheadTable) -> Iterator[Seen]:
    captures = overhead.capture_sizes(start.settings, start.gpu.capability)
    units = captures * start.architecture.num_hidden_layers * 1024
    estimate, actual = start.figure("cudagraph_est_gib"), start.figure("cudagraph_gib")
    base = table.term("graph_estimate_mib", table.calibrated_until).expected * MIB
    if units >= ENOUGH_GRAPHS * 1024 and estimate is not None:
        yield _one(start, table, "graph_layer_kib", (estimate * GIB - base) / units)
    if units >= ENOUGH_GRAPHS * 1024 and actual is not None:
        yield _one(start, table, "graph_actual_kib", actual * GIB / units)


def _kin(start: Case) -> tuple[str, str]:
    return start.row["model"], start.row["vllm_version"]


def _one(start: Case, table: OverheadTable, name: str, value: float) -> Seen:
    sweep = f"{start.row['model']} {start.row['vllm_version']} {start.layout} {start.settings.enforce_eager}"
    return Seen(name, table.term(name, start.release).since, sweep, start.id, start.stock, value)


def settle(term: Term, listed: list[Seen]) -> Term:
    """The term with the median and spread of what was seen; unchanged where nothing was.

    A figure below zero says that the row's other terms are off: it is left out. n observations span less than what
    they were drawn from, so both ends go 1/n further from the median.
    """
    sweeps: dict[str, list[Seen]] = {}
    for one in listed:
        if one.value >= 0:
            sweeps.setdefault(one.sweep, []).append(one)
    counted = [
        value
        for group in sweeps.values()
        for value in [median(one.value for one in group)] * (2 if group[0].stock and len(sweeps) > FEW else 1)
    ]
    if not counted:
        return term
    ends = sorted(counted)
    if len(sweeps) > FEW:
        deciles = quantiles(counted, n=10, method="inclusive")
        ends = [deciles[0], deciles[-1]]
    middle = median(counted)
    wider = 1 + 1 / len(sweeps)
    least = 1 + LEAST_SPREAD / sqrt(len(sweeps))
    figures = {
        "expected": middle,
        "low": min(max(0, middle - (middle - ends[0]) * wider), middle / least),
        "high": max(middle + (ends[-1] - middle) * wider, middle * least),
    }
    rounded = {name: float(f"{value:.3g}") for name, value in figures.items()}
    return term.model_copy(update=rounded | {"rows": len(sweeps)})


def fit(starts: list[Case], table: OverheadTable, leave_out: Case | None = None) -> tuple[OverheadTable, list[Seen]]:
    """The table after a few rounds over all starts, those of `leave_out`'s model and build left out."""
    everything: list[Seen] = []
    used = [start for start in starts if leave_out is None or _kin(start) != _kin(leave_out)]
    for _ in range(ROUNDS):
        everything = [one for start in used for one in seen(start, table)]
        terms = tuple(
            settle(term, [one for one in everything if (one.term, one.since) == (term.name, term.since)])
            if term.name in FITTED
            else term
            for term in table.terms
        )
        table = OverheadTable.model_validate(table.model_copy(update={"terms": terms}).model_dump())
    return table, everything


def rewrite(text: str, table: OverheadTable) -> str:
    """The TOML with the fitted figures in place of the old ones; comments and order stay."""
    blocks = re.split(r"(?m)^(?=\[\[)", text)
    terms = {(term.name, term.since): term for term in table.terms}
    return "".join(_block(block, terms) for block in blocks)


def _block(block: str, terms: dict[tuple[str, str], Term]) -> str:
    found = re.search(r'name = "(.+)"\nsince = "(.+)"', block)
    if found is None or found[1] not in FITTED:
        return block
    term = terms[found[1], found[2]]
    for name in ("expected", "low", "high", "rows"):
        block = re.sub(rf"(?m)^{name} = .*$", f"{name} = {getattr(term, name):g}", block)
    return block


def main() -> None:
    """Fit, print every observation and figure, and write the table where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--configs", type=Path, required=True)
    parser.add_argument("--write", action="store_true", help="write generator/catalogue/overheads.toml")
    options = parser.parse_args()
    starts = observations(options.truth, options.configs)
    table, everything = fit(starts, overheads())
    for term in table.terms:
        if term.name in FITTED:
            print(f"{term.name} since {term.since}: {term.expected:g} [{term.low:g}, {term.high:g}]")
            for one in everything:
                if (one.term, one.since) == (term.name, term.since):
                    print(f"    {one.row} {'stock' if one.stock else '     '} {one.value:.3g}")
    if options.write:
        TABLE.write_text(rewrite(TABLE.read_text(encoding="utf-8"), table), encoding="utf-8")


if __name__ == "__main__":
    main()
