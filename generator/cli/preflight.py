"""`vllm-wizard check --preflight FILE`: vLLM's own answer to a deployment, and what mends a refusal."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from generator.cli import console
from generator.errors import FindingsError

if TYPE_CHECKING:
    from generator.operations.preflight import Preflight


def show_preflight(directory: Path, file: Path, *, json_: bool) -> None:
    """Print what vLLM said, and the repairs.

    Raises:
        FindingsError: vLLM refuses the deployment, or a figure of its own leaves the plan's.
    """
    from generator.operations.preflight import preflight  # noqa: PLC0415 - start-up time

    found = preflight(directory, file)
    if json_:
        console.out(found.model_dump_json(indent=2))
    else:
        for line in _lines(found):
            console.out(line)
    report = found.report
    if not report.starts:
        raise FindingsError(f"vLLM {report.vllm} would not start {directory}: its message is above")
    if report.differing:
        raise FindingsError(f"vLLM {report.vllm} starts {directory} with other figures than the plan's")


def _lines(found: Preflight) -> Iterator[str]:
    report = found.report
    yield f"vLLM {report.vllm}: {'starts' if report.starts else f'refuses ({report.level})'}"
    for one in report.differing:
        yield f"  {one.figure.replace('_', ' ')}: {one.vllm:,.0f}, the plan has {one.plan:,.0f}"
    if report.error is not None and not report.starts:
        yield f"  {' '.join(report.error.text.split())}"
    if found.planner:
        yield f"  The planner refuses it too: {found.planner}"
    if found.repairs:
        yield "  What would start, by the planner's proof:"
    for number, repair in enumerate(found.repairs, 1):
        yield f"  {number}. {repair.title}: vllm-wizard update {shlex.join(repair.flags)}"
