"""Fit the coefficients of generator/catalogue/overheads.toml to public startup logs; deterministic, offline.

    python .github/scripts/fit_overheads.py --truth startup_logs.csv --configs hf_configs [--write]

A term's observations are the rows where it can be told apart: the component that vLLM logged, or what is left
of utilization x total - weights - cache once the other terms have their present values. Rows of one
sweep (same model, build and layout) count as one; above eight sweeps those of stock releases count twice.
Graphs are read on unified memory too, all else on discrete GPUs only. The figure is the median, its range the
whole spread up to eight observations and the middle 80 % above. Which phase of the profile decides is told by
the mechanism's own reference figures, never by fitted ones, so that no term explains another's rows away.
With `--write` each source, GPU and model is left out in turn as well: the tables of the report's left-out figures.
From those of the sources come the regions that starts show and the widening of the cache's range that each region
needs (tests/accuracy/regions.py).
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, NamedTuple

from overhead_rows import ROOT, Seen, observations, seen

from generator.catalogue.overheads import overheads
from generator.models.capability import CapabilitySet
from tests.accuracy.bootlogs import SIDES, scores
from tests.accuracy.regions import by_region, needed_widening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from generator.models.overheads import OverheadTable, Term
    from tests.accuracy.bootlogs import Scored
    from tests.accuracy.startup_rows import Case

TABLE = ROOT / "generator" / "catalogue" / "overheads.toml"
FOLDS = ROOT / "tests" / "accuracy" / "data" / "overhead_folds.json"
ROUNDS = 6
FEW = 8
LEAST_SPREAD = 0.5
"""Half-width of a range that rests on one observation, as a share; it falls with the root of their number."""
THIN = 2
"""Sources up to which a term is no better known than without any."""
COUNTED = frozenset({"sampler_v1", "compilation_factor"})
"""Terms whose copies are counted in vLLM's code, which rows confirm: their range falls with the number itself."""
REACH = {("context_mib", "0.22"): 600.0}
"""High ends that other sources know: what a first compilation leaves behind was 0.5 to 0.6 GiB more than a cached one
on two machines (vLLM 0.29 on a 6 GB card; pull request 518 of 1CatAI/1Cat-vLLM)."""


class Prior(NamedTuple):
    """What is known of a term without any start."""

    expected: float
    low: float
    high: float


PRIOR = {
    "context_mib": Prior(150.0, 20.0, 600.0),
    "collectives_nvlink_mib": Prior(500.0, 0.0, 2300.0),
    "fused_all_reduce_mib": Prior(1000.0, 0.0, 1900.0),
    "collectives_pcie_mib": Prior(300.0, 0.0, 1100.0),
    "token_factor": Prior(1.0, 0.5, 1.5),
    "encoder_factor": Prior(1.0, 0.6, 1.5),
    "encoder_fixed_factor": Prior(0.9, 0.5, 1.5),
}
"""A CUDA context's libraries; none to all of NCCL's channels, symmetric memory and fused all-reduce (vLLM 0.33
all_reduce_utils.py: SYMM_MEM_ALL_REDUCE_MAX_SIZES; allreduce_rms_fusion.py); half to one and a half of the buffers
that a mechanism counts."""
FITTED = (
    "context_mib",
    "collectives_nvlink_mib",
    "fused_all_reduce_mib",
    "collectives_pcie_mib",
    "token_factor",
    "sampler_v1",
    "compilation_factor",
    "encoder_factor",
    "encoder_fixed_factor",
    "graph_layer_kib",
    "graph_actual_kib",
)


def settle(term: Term, listed: list[Seen]) -> Term:
    """The term with the median and spread of what was seen; its prior where nothing was.

    A figure below zero says that the row's other terms are off, one nearer to the term's other way that the start took
    that: both are left out, and a term that was read in code (no rows) stays. n observations span less than what they
    were drawn from, so both ends go 1/n further from the median. Machines differ more than the starts of one: with n
    sources an end goes at least 2/(n+1) of the way to what is known without any row (`PRIOR`).
    """
    sweeps: dict[str, list[Seen]] = {}
    for one in listed:
        if one.value >= 0 and not _went_otherwise(term, one.value):
            sweeps.setdefault(one.sweep, []).append(one)
    if not term.rows:
        return term
    prior = PRIOR.get(term.name)
    if not sweeps:
        return term.changed(**prior._asdict()) if prior else term
    counted = [
        value
        for group in sweeps.values()
        for value in [median(one.value for one in group)] * (2 if group[0].stock and len(sweeps) > FEW else 1)
    ]
    sources = len({one.source for group in sweeps.values() for one in group})
    figures = _range(term, counted, len(sweeps))
    if prior:
        middle, share = figures["expected"], THIN / (sources + 1)
        figures["low"] = min(figures["low"], middle - (middle - prior.low) * share)
        figures["high"] = max(figures["high"], middle + (prior.high - middle) * share)
    rounded = {name: float(f"{value:.3g}") for name, value in figures.items()}
    return term.changed(**rounded, rows=len(sweeps))


def _range(term: Term, counted: list[float], sweeps: int) -> dict[str, float]:
    """Median of the counted values, and how far either side of it reaches."""
    ends = sorted(counted)
    if sweeps > FEW:
        deciles = quantiles(counted, n=10, method="inclusive")
        ends = [deciles[0], deciles[-1]]
    middle = median(counted)
    wider = 1 + 1 / sweeps
    least = 1 + LEAST_SPREAD / sweeps ** (1 if term.name in COUNTED else 0.5)
    known = REACH.get((term.name, term.since), 0.0)
    return {
        "expected": middle,
        "low": min(max(0, middle - (middle - ends[0]) * wider), middle / least),
        "high": max(middle + (ends[-1] - middle) * wider, middle * least, known),
    }


def _went_otherwise(term: Term, value: float) -> bool:
    return term.otherwise is not None and abs(value - term.otherwise) < abs(value - term.expected)


def fit(starts: list[Case], table: OverheadTable) -> tuple[OverheadTable, list[Seen]]:
    """The table after a few rounds over all starts."""
    everything: list[Seen] = []
    for _ in range(ROUNDS):
        everything = [one for start in starts for one in seen(start, table)]
        terms = tuple(
            settle(term, [one for one in everything if _is_of(one, term)]) if term.name in FITTED else term
            for term in table.terms
        )
        table = table.changed(terms=terms)
    return table, everything


def _is_of(one: Seen, term: Term) -> bool:
    return (one.term, one.since, one.capabilities) == (term.name, term.since, term.capabilities)


def folds(starts: list[Case], table: OverheadTable) -> Iterator[str]:
    """Lines of JSON: expected, low and high of every term without each side of a scored start, in the table's order."""
    scored = [start for start in starts if start.stock and start.discrete and start.row["config_file"]]
    for number, (side, key) in enumerate(SIDES.items()):
        yield f"{',' if number else ''}{json.dumps(side)}: {{"
        names = sorted({key(start) for start in scored})
        for name in names:
            left, _ = fit([start for start in starts if key(start) != name], table)
            terms = [[term.expected, term.low, term.high] for term in left.terms]
            yield f"  {json.dumps(name)}: {json.dumps(terms)}{'' if name == names[-1] else ','}"
        yield "}"


def rewrite(text: str, table: OverheadTable) -> str:
    """The TOML with the fitted figures in place of the old ones; comments and order stay."""
    blocks = re.split(r"(?m)^(?=\[\[)", text)
    terms = {(term.name, term.since, term.capabilities): term for term in table.terms}
    return "".join(_block(block, terms) for block in blocks)


def _block(block: str, terms: dict[tuple[str, str, CapabilitySet], Term]) -> str:
    found = re.search(r'name = "(.+)"\nsince = "(.+)"(?:\ncapabilities = "(.+)")?', block)
    if found is None or found[1] not in FITTED:
        return block
    term = terms[found[1], found[2], CapabilitySet(found[3] or "")]
    for name in ("expected", "low", "high", "rows"):
        block = re.sub(rf"(?m)^{name} = .*$", f"{name} = {getattr(term, name):g}", block)
    return block


def with_regions(text: str, planned: list[Scored]) -> str:
    """The TOML with the regions of these starts, and the widening that they need when their source is left out."""
    found = [region for region in by_region(planned) if not region.name.startswith("vLLM ")]
    rows = "".join(
        f'[[region]]\nname = "{region.name}"\nsources = {region.sources}\nstarts = {len(region.starts)}\n\n'
        for region in found
    )
    text = re.sub(r"(?s)(?:\[\[region\]\]\n.*?\n\n)+", lambda _: rows, text, count=1)
    return re.sub(r"(?m)^widening = .*$", f"widening = {needed_widening(planned):g}", text, count=1)


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
            where = f"since {term.since} {term.capabilities or ''}"
            print(f"{term.name} {where}: {term.expected:g} [{term.low:g}, {term.high:g}]")
            for one in everything:
                if _is_of(one, term):
                    print(f"    {one.row} {'stock' if one.stock else '     '} {one.value:.3g}")
    if options.write:
        TABLE.write_text(rewrite(TABLE.read_text(encoding="utf-8"), table), encoding="utf-8")
        FOLDS.write_text("\n".join(["{", *folds(starts, table), "}", ""]), encoding="utf-8")
        overheads.cache_clear()
        planned, _ = scores(options.truth, options.configs, leave_out="source")
        TABLE.write_text(with_regions(TABLE.read_text(encoding="utf-8"), planned), encoding="utf-8")


if __name__ == "__main__":
    main()
