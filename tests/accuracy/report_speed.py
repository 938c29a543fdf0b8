"""`python -m tests.accuracy.report_speed --truth FILE --configs DIR`: write the speed part of the accuracy page."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.accuracy.benchmarks import report

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "accuracy.md"
BEGIN, END = "<!-- speed: written by tests/accuracy/report_speed.py -->", "<!-- end of speed -->"
NAMES = {
    "tpot_median": "time per output token: median error",
    "tpot_p90": "the same, 90th percentile",
    "ttft_median": "time to first token: median error",
    "ttft_p90": "the same, 90th percentile",
    "ttft_bias_c128": "bias of time to first token with 128 and more requests in flight",
    "throughput_median": "output tokens/s: median error",
    "in_interval": "figures that lie in the stated range",
}
LIMITS = (
    "A finite run's time to first token is the weakest figure: how long a server's first kernels compile, how fast it",
    "takes a crowd in and how a proxy fills its replicas differ by seconds between hosts.",
    "Mixtures of experts in INT4 on workstation GPUs read prompts up to twice as fast as planned.",
    "Speculation, open arrivals and pipelines over nodes have no row in the set; the estimate says so.",
    "Models and GPUs outside the set: expect the errors of the two right columns.",
)
_METRIC = re.compile(r"benchmarks\.(?:(leave_\w+_out)\.)?(\w+) ([\d.]+) rows=(\d+)")


def section(lines: list[str]) -> list[str]:
    """The page's part on speed, in Markdown lines."""
    found = {(m[1] or "", m[2]): m for m in map(_METRIC.match, lines) if m}
    rows = [
        f"| {meaning} | " + " | ".join(f"{float(found[side, name][3]):.1%}" for side in _SIDES) + " |"
        for name, meaning in NAMES.items()
    ]
    excluded = [line for line in lines if line.startswith(("rows:", "excluded:"))]
    return [
        BEGIN,
        "## Speed against published benchmarks",
        "",
        "Published runs of vLLM 0.8 to 0.26, each estimated from config.json with what its source states and vLLM's",
        "defaults elsewhere. Coefficients are fitted by `.github/scripts/fit_speed.py`; none names a model. The",
        "right columns are taken with coefficients that were fitted without the row's source, GPU or model, or without",
        "any row of its kernel on its GPU generation, whose ranges are then those of a kernel that nobody published.",
        "How far one may leave its prior was chosen on rows of this set, so they flatter somewhat. The stated ranges",
        "are as wide as the columns without the source and the kernel ask for: that nine of ten lie inside there is",
        "how they were set, no test of them. Which rows count as warmed, and which as spread arrivals, is read from",
        "the rows and moves the figures as well.",
        "",
        "| figure | all in the fit | without the source | without the GPU | without the model | without the kernel |",
        "| --- | --- | --- | --- | --- | --- |",
        *rows,
        "",
        *(f"- {line}" for line in excluded),
        "",
        *_views(lines),
        "### Where it is off",
        "",
        *(f"- {line}" for line in _sentences()),
        END,
    ]


_SIDES = ("", "leave_source_out", "leave_gpu_out", "leave_model_out", "leave_kernel_out")


def _sentences() -> Iterator[str]:
    yield " ".join(LIMITS[:2])
    yield from LIMITS[2:]


def _views(lines: list[str]) -> Iterator[str]:
    """The tables by GPU, class, weights, source and release, and the worst rows, as the command prints them."""
    start = next(i for i, line in enumerate(lines) if line.startswith("by "))
    yield from ("```text", *lines[start:], "```", "")


def main() -> int:
    """Writes the part, after the page's others where it is new."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--configs", type=Path, required=True)
    options = parser.parse_args()
    part = "\n".join(section(list(report(options.truth, options.configs))))
    page = PAGE.read_text(encoding="utf-8")
    before, mark, rest = page.partition(BEGIN)
    after = rest.partition(END)[2] if mark else "\n"
    PAGE.write_text(f"{before.rstrip()}\n\n{part}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
