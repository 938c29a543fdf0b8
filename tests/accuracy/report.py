"""`python -m tests.accuracy.report`: write the memory part of docs/explanation/accuracy.md, or check it.

With `--check` nothing is written, and the exit status is 1 where a figure is worse than the committed one.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from generator.catalogue.overheads import overheads
from tests.accuracy.bootlogs import LEFT_OUT, Scored, errors, metrics, relative, scores
from tests.accuracy.explanations import explanation
from tests.accuracy.regions import by_region
from tests.accuracy.startup_rows import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "explanation" / "accuracy.md"
TRUTH = Path(__file__).parent / "data" / "startup_logs.csv"
BEGIN, END = "<!-- memory: written by tests/accuracy/report.py -->", "<!-- end of memory -->"
WORST = 6
LARGER_IS_BETTER = frozenset({"in_interval", "failures_caught"})
MEANING = {
    "weights_median": "error of loaded weights, median",
    "weights_p90": "the same, 90th percentile",
    "kv_median": "error of available cache memory, of the requested memory, median",
    "kv_p90": "the same, 90th percentile",
    "kv_pool_median": "error of available cache memory, of itself, median",
    "concurrency_median": "error of the maximum concurrency, median",
    "in_interval": "starts whose cache memory lies in the stated interval",
    "interval_width": "width of that interval, of the GPU, mean",
    "failures_caught": "starts that failed for memory and are not planned as low risk",
    "false_refusals": "starts that ran and are planned as not fitting",
    "high_risk_on_ok": "starts that ran and are called high risk",
}
_LINE = re.compile(r"bootlogs\.((?:leave_source_out\.)?(\w+)) ([\d.]+) rows=(\d+)")


def section(planned: list[Scored], left_out: list[str], unseen: list[Scored]) -> list[str]:
    """The page's part on memory, in Markdown lines; `unseen` are planned without what their source taught."""
    return [
        BEGIN,
        "## Memory against real starts",
        "",
        "Public startup logs of stock vLLM releases on discrete GPUs, each planned from config.json with what its",
        "source states and vLLM's defaults elsewhere. Percentiles are left out below 40 rows.",
        "",
        "What a stranger's start may expect: each is planned with coefficients that were fitted without its source,",
        "and so without the machine, the release and the harness that it shares with others of that source.",
        "",
        *_table(_HEADER, _figures(metrics(unseen, LEFT_OUT))),
        "",
        "### By region, source left out",
        "",
        *_regions(unseen),
        "",
        "With every start in the fit:",
        "",
        *_table(_HEADER, _figures(metrics(planned))),
        "",
        "### By kind",
        "",
        "With every start in the fit.",
        "",
        *_kinds(planned),
        "### Worst rows",
        "",
        *_table(("start", "figure", "error", "why"), _worst(planned)),
        "",
        "### Coefficients",
        "",
        "Mechanisms are code (`planning/memory/overhead.py`); these are their coefficients, fitted by",
        "`.github/scripts/fit_overheads.py`. A range reaches a little past what was observed; a plan combines ranges",
        "as independent errors, each side on its own. `0` observations: the figure was read in vLLM's code.",
        "",
        *_table(("term", "from vLLM", "expected", "range", "observations"), _coefficients()),
        "",
        "### What is not calibrated",
        "",
        *_limits(left_out),
        END,
    ]


def _regions(unseen: list[Scored]) -> list[str]:
    """What the ranges are widened by, and each region with what its starts say of them."""
    wider = overheads().widening
    header = ("region", "starts", "sources", "inside", "width of the GPU", "")
    return [
        f"The cache's range is widened {wider.always:g} times, as far as every region with {wider.enough_sources}",
        "sources or more needs: the share inside is what the width was set by, no test of it. A region with fewer is",
        f"not calibrated: a plan of it says so, and its range is {wider.thin:g} times as wide again.",
        "",
        *_table(
            header,
            (
                (
                    region.name,
                    str(len(region.starts)),
                    str(region.sources),
                    f"{region.inside:.0%}",
                    f"{region.width:.1%}",
                    "" if region.enough else "not calibrated",
                )
                for region in by_region(unseen)
            ),
        ),
    ]


_HEADER = ("metric", "value", "rows", "meaning")


def _figures(lines: list[str]) -> list[tuple[str, ...]]:
    found = [_LINE.match(line) for line in lines]
    return [
        (f"`bootlogs.{line[1]}`", f"{float(line[3]):.1%}", line[4], MEANING[line[2]])
        for line in found
        if line is not None and not (line[1].endswith("p90") and "too few" in line.string)
    ]


def _kinds(planned: list[Scored]) -> list[str]:
    kinds: tuple[tuple[str, Callable[[Scored], str]], ...] = (
        ("model class", lambda one: one.case.row["model_class"] or "not stated"),
        ("GPU", lambda one: one.case.gpu.name),
        ("release", lambda one: ".".join(one.case.release.split(".")[:2])),
        ("source", lambda one: one.case.row["source_type"] or "not stated"),
    )
    lines = []
    for title, kind in kinds:
        groups: dict[str, list[Scored]] = {}
        for one in planned:
            groups.setdefault(kind(one), []).append(one)
        rows = [
            (name, str(len(group)), *(_median(errors(group, error)) for error in ERRORS))
            for name, group in sorted(groups.items())
        ]
        lines += [*_table((title, "starts", "weights", "cache of requested", "concurrency"), rows), ""]
    return lines


ERRORS = ("weights_error", "kv_share", "concurrency_error")


def _median(found: list[float]) -> str:
    return f"{median(found):.1%}" if found else "-"


def _worst(planned: list[Scored]) -> list[tuple[str, ...]]:
    named = {
        "weights_error": "loaded weights",
        "kv_share": "cache of requested",
        "concurrency_error": "concurrency",
    }
    rows = []
    for error, title in named.items():
        rated = [(value, one) for one in planned if (value := relative(one, error)) is not None]
        rated.sort(key=lambda pair: -abs(pair[0]))
        rows += [(_start(one), title, f"{value:+.1%}", explanation(one, error)) for value, one in rated[:WORST]]
    return rows


def _start(one: Scored) -> str:
    ranks = one.case.world
    return f"{one.case.id} {one.case.row['model']}, {ranks} x {one.case.gpu.name}, vLLM {one.case.release}"


def _coefficients() -> list[tuple[str, ...]]:
    return [
        (term.name, term.since, f"{term.expected:g}", f"{term.low:g} to {term.high:g}", str(term.rows))
        for term in overheads().terms
    ]


def _limits(left_out: list[str]) -> list[str]:
    table = overheads()
    return [
        f"- vLLM before {table.calibrated_since} or after {table.calibrated_until}.",
        "- Unified memory (GB10, GH200): page cache and neighbours move the budget by gibibytes.",
        "- Workspaces of sparse attention (DeepSeek-V3.2, DeepSeek-V4, GLM-5): formulae that no start confirms.",
        "- Ranks of several nodes: no start of the set has them.",
        f"- {len(left_out)} stock starts have no plan:",
        *(f"  - {line}" for line in left_out),
    ]


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (header, tuple("---" for _ in header), *rows)]


def written(page: str, lines: list[str]) -> str:
    """The page with its memory part replaced, or appended where it has none."""
    part = "\n".join(lines)
    if BEGIN in page and END in page:
        before, after = page.partition(BEGIN)[0], page.partition(END)[2]
        return f"{before}{part}{after}"
    return f"{page.rstrip()}\n\n{part}\n" if page.strip() else f"# How accurate the plans are\n\n{part}\n"


def worse(page: str, planned: list[Scored], unseen: list[Scored]) -> list[str]:
    """Figures of the page that today's plans do not reach, to a tenth of a per cent."""
    committed = dict(re.findall(r"\| `bootlogs\.([\w.]+)` \| ([\d.]+)% \|", page))
    lines = []
    for line in [*metrics(planned), *metrics(unseen, LEFT_OUT)]:
        found = _LINE.match(line)
        if found is None or found[1] not in committed:
            continue
        before, now = float(committed[found[1]]), round(100 * float(found[3]), 1)
        if now != before and (now < before) == (found[2] in LARGER_IS_BETTER):
            lines.append(f"bootlogs.{found[1]} was {before} %, is {now} %")
    return lines


def main() -> int:
    """Write the page, or check it; 1 where a figure got worse."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--truth", type=Path, default=TRUTH)
    parser.add_argument(
        "--configs", type=Path, help="folder of <org>--<model>/config.json; data/models.json is rewritten from it"
    )
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if options.configs and not options.check:
        record(options.truth, options.configs)
    planned, left_out = scores(options.truth, options.configs)
    unseen = scores(options.truth, options.configs, leave_out="source")[0]
    page = options.page.read_text(encoding="utf-8") if options.page.exists() else ""
    if options.check:
        found = worse(page, planned, unseen)
        sys.stdout.write("".join(f"{line}\n" for line in found))
        return bool(found)
    options.page.parent.mkdir(parents=True, exist_ok=True)
    options.page.write_text(written(page, section(planned, left_out, unseen)), encoding="utf-8")
    sys.stdout.write(f"{options.page.name}: {len(planned)} starts\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
