"""One GPU's memory as a bar with its legend; every part has a letter, and a colour where there are colours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from generator.cli import console
from generator.presenting.memory import MISSING_LABEL, SIGNS, caches_nothing, memory_rows, memory_runs, with_missing

if TYPE_CHECKING:
    from generator.models.plan import Plan

_COLOURS = {
    "W": "blue", "D": "bright_blue", "O": "bright_black", "A": "yellow", "G": "magenta", "K": "green", "k": "green",
    ".": "default", "!": "red",
}  # fmt: skip
_WIDEST, _MARGIN = 100, 4
_UNSURE = "k: cache that is lost at the high end of the other estimates"


def memory_picture(plan: Plan) -> tuple[str, ...]:
    """Title, bar, a row for each part, and by how much the GPU is too small, as markup."""
    rank = f" ({plan.memory.worst_rank})" if plan.layout.pipeline_parallel_size > 1 else ""
    return f"[bold]Memory of one GPU[/bold]{rank}", _bar(plan), *_legend(plan)


def _bar(plan: Plan) -> str:
    """The bar in brackets, as wide as the terminal is; what is missing stands behind the GPU's end."""
    cells = min(console.width(), _WIDEST) - _MARGIN
    runs = memory_runs(plan.memory, plan.feasibility.shortfall_bytes, cells)
    inside = "".join(_run(sign, count) for sign, count in runs if sign != "!")
    beyond = "".join(_run(sign, count) for sign, count in runs if sign == "!")
    return f"  \\[{inside}]{beyond}"


def _run(sign: str, count: int) -> str:
    """The cells of one part: its letter in each, on its colour."""
    return f"[{_COLOURS[sign]}]{sign * count}[/{_COLOURS[sign]}]" if count else ""


def _legend(plan: Plan) -> Iterator[str]:
    unused = caches_nothing(plan)
    short = plan.feasibility.shortfall_bytes
    for label, figure in with_missing(memory_rows(plan.memory), short):
        if label == MISSING_LABEL:
            yield f"  [bold red]{SIGNS[label]} {label:<16} {figure}[/bold red]"
            continue
        sign = SIGNS.get(label, " ")
        shown = "Not used" if unused and label == "KV cache" else label
        yield f"  [{_COLOURS.get(sign, 'default')}]{sign}[/{_COLOURS.get(sign, 'default')}] {shown:<16} {figure}"
    if not short and any(sign == "k" and count for sign, count in memory_runs(plan.memory, 0, _WIDEST)):
        yield f"  [dim]{_UNSURE}[/dim]"
