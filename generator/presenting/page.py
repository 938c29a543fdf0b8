"""A plan as a document: Markdown, or one HTML file with its memory as a picture and nothing from elsewhere."""

import shlex
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from generator.models.estimate import LoadPoint
from generator.models.plan import Plan
from generator.presenting.drawing import Box, curve, memory_bar, title_of
from generator.presenting.memory import SIGNS, with_missing
from generator.presenting.record import display
from generator.presenting.text import count_text, duration_text

_BAR = Box(left=0, top=0, width=1000, height=56, letter=24)
_STYLE = """
:root { color-scheme: light dark; --text: #1a1a1a; --ground: #ffffff; --line: #8a8a8a; }
@media (prefers-color-scheme: dark) { :root { --text: #ececec; --ground: #161616; --line: #8f8f8f; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--ground); margin: auto; padding: 1rem;
  max-width: 60rem; }
table { border-collapse: collapse; width: 100%; } .wide { overflow-x: auto; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .75rem .25rem 0; text-align: left; vertical-align: top; }
pre { overflow-x: auto; white-space: pre-wrap; } svg { width: 100%; height: auto; overflow: visible; }
.bar rect { stroke: #333; } .bar text { fill: #111; }
@media print { body { max-width: none; } }
"""


class _Section(NamedTuple):
    """One part of the document: a table, or a list, under its title."""

    title: str
    headings: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    items: tuple[str, ...] = ()


def markdown(plan: Plan, loads: Sequence[LoadPoint] = ()) -> str:
    """The plan as Markdown, with what its server delivers under other `loads`."""
    lines = [f"# {title_of(plan)}", "", f"**{display(plan).verdict}**"]
    for one in _sections(plan, loads):
        lines += ["", f"## {one.title}", ""]
        if one.rows:
            lines += [_cells(one.headings), _cells("---" for _ in one.headings), *map(_cells, one.rows)]
        lines += [f"- {item}" for item in one.items]
    if plan.feasibility.verdict != "does_not_fit":
        lines += ["", "## Command", "", "```sh", _command(plan), "```"]
    return "\n".join(lines)


def html(plan: Plan, loads: Sequence[LoadPoint] = ()) -> str:
    """The plan as one HTML page for light and dark, for the screen and for paper, with other `loads` as a curve."""
    title = escape(title_of(plan))
    body = [f"<h1>{title}</h1>", f"<p><strong>{escape(display(plan).verdict)}</strong></p>"]
    for one in _sections(plan, loads):
        body.append(f"<h2>{escape(one.title)}</h2>")
        if one.title == _MEMORY:
            body.append(_picture(plan))
        if one.title == _LOADS and len(loads) > 1:
            body.append(curve(loads))
        if one.rows:
            body.append(_table(one))
        if one.items:
            body.append(f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in one.items)}</ul>")
    if plan.feasibility.verdict != "does_not_fit":
        body.append(f'<h2>Command</h2>\n<pre tabindex="0"><code>{escape(_command(plan))}</code></pre>')
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    page = f"<head>{head}<style>{_STYLE}</style></head>\n<body><main>\n{chr(10).join(body)}\n</main></body>"
    return f'<!doctype html>\n<html lang="en">\n{page}\n</html>'


_MEMORY, _LOADS = "Memory of one GPU", "More requests at once, and fewer"
"""Sections with a picture."""


def _sections(plan: Plan, loads: Sequence[LoadPoint]) -> Iterable[_Section]:
    """The parts of the document in their order; what has nothing to say is left out."""
    shown, found = display(plan), plan.feasibility
    rows = with_missing(shown.memory, found.shortfall_bytes)
    memory = tuple((f"{SIGNS.get(label, '')} {label}".strip(), figure) for label, figure in rows)
    capacity = (
        ("Parameters", count_text(plan.model.parameters)), ("Context", shown.context),
        ("Concurrency", shown.concurrency), ("Speed", shown.speed),
    )  # fmt: skip
    yield _Section(_MEMORY, ("part", "size"), memory)
    yield _Section("Capacity", ("figure", "value"), tuple(row for row in capacity if row[1]))
    if loads:
        headings = ("at once", "first token", "each token", "tokens/s", "tokens/s for each")
        yield _Section(_LOADS, headings, tuple(map(_load, loads)))
    if plan.alternatives:
        others = tuple((one.kind, one.gain, " ".join(one.flags), one.lost) for one in plan.alternatives)
        yield _Section("What else could be had", ("kind", "gain", "options", "not chosen"), others)
    if plan.repairs:
        repairs = tuple((one.title, " ".join(one.flags), one.effect) for one in plan.repairs)
        yield _Section("Changes that would mend it", ("change", "options", "then"), repairs)
    if plan.warnings or plan.advisories:
        yield _Section("Notes", items=(*plan.warnings, *plan.advisories))
    reasons = tuple((one.field, str(one.value), one.reason) for one in plan.decisions)
    yield _Section("Why each value", ("argument", "value", "reason"), reasons)


def _load(point: LoadPoint) -> tuple[str, ...]:
    found, count = point.estimate, point.concurrency
    rate = found.output_tokens_per_s
    return (
        f"{count:,}", duration_text(found.ttft_ms.mean), duration_text(found.tpot_ms.mean),
        f"{rate.mean:,.0f} ({rate.low:,.0f} to {rate.high:,.0f})", f"{rate.mean / count:,.1f}",
    )  # fmt: skip


def _picture(plan: Plan) -> str:
    """The bar as an SVG that says in words what it shows."""
    said = escape("; ".join(f"{label} {figure}" for label, figure in display(plan).memory))
    view = f'class="bar" viewBox="0 0 {_BAR.width} {_BAR.height}"'
    return f'<svg {view} role="img" aria-label="{said}">{"".join(memory_bar(plan, _BAR))}</svg>'


def _table(one: _Section) -> str:
    head = "".join(f'<th scope="col">{escape(word)}</th>' for word in one.headings)
    rows = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in row[1:])}</tr>'
        for row in one.rows
    )
    return f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _cells(row: Sequence[str] | Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def _command(plan: Plan) -> str:
    return shlex.join(plan.command)
