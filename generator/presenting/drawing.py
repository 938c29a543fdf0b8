"""Pictures for light and dark, with words for those who do not see them: a plan, and its speed under more requests."""

from collections.abc import Iterator, Sequence
from html import escape
from textwrap import wrap
from typing import NamedTuple

from generator.models.estimate import LoadPoint
from generator.models.plan import Plan
from generator.presenting.memory import SIGNS, memory_runs, with_missing
from generator.presenting.record import display

_FILLS = {
    "W": "#9ecae1", "D": "#6baed6", "O": "#d9d9d9", "A": "#fdd870", "G": "#e6b3e0", "K": "#a1d99b", "k": "#d5efcf",
    ".": "#ffffff", "!": "#ff9d8a",
}  # fmt: skip
"""Colour of each part of the memory, by its sign."""
_WIDTH, _EDGE, _BAR, _LINE = 760, 20, 44, 26
"""Sizes in the picture's own units: its width, its edge, the height of the bar and of a line."""
_LABEL, _WIDE, _NARROW = 170, 96, 72
"""Width of the labels, and letters of a line across the picture and beside them."""
_STYLE = (
    "text{font:15px system-ui,sans-serif;fill:#1a1a1a}.big{font-size:19px;font-weight:600}.in{fill:#111}"
    ".ground{fill:#fff}rect{stroke:#333}.ground{stroke:none}"
    "@media(prefers-color-scheme:dark){text{fill:#ececec}.in{fill:#111}.ground{fill:#161616}}"
)


class Box(NamedTuple):
    """Where a bar lies in its picture, in the picture's own units."""

    left: int
    top: int
    width: int
    height: int
    letter: int
    """Width from which on a part holds its sign."""


def svg(plan: Plan) -> str:
    """The plan as an SVG file: model and GPUs, verdict, memory of one GPU with its legend, context, requests, speed."""
    body, top = [_text(_EDGE, _EDGE + 12, title_of(plan), "big")], _EDGE + 12 + _LINE
    for line in wrap(display(plan).verdict, _WIDE):
        body.append(_text(_EDGE, top, line))
        top += _LINE
    body += memory_bar(plan, Box(_EDGE, top - 8, _WIDTH - 2 * _EDGE, _BAR, 18))
    top += _BAR + _LINE
    for label, figure in _rows(plan):
        body.append(_text(_EDGE, top, label))
        for line in wrap(figure, _NARROW):
            body.append(_text(_EDGE + _LABEL, top, line))
            top += _LINE
    size = f'viewBox="0 0 {_WIDTH} {top}" width="{_WIDTH}" height="{top}"'
    said = escape("; ".join(f"{label} {figure}" for label, figure in display(plan).memory))
    ground = f'<rect class="ground" width="{_WIDTH}" height="{top}"/>'
    title = f"<title>{escape(title_of(plan))}</title><desc>{said}</desc>"
    parts = f"{title}<style>{_STYLE}</style>{ground}{''.join(body)}"
    return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}>{parts}</svg>'


def title_of(plan: Plan) -> str:
    """What the plan is of: model and GPUs."""
    return f"{plan.model.id} on {display(plan).gpus}"


def _rows(plan: Plan) -> Iterator[tuple[str, str]]:
    """The legend of the bar, then what the plan carries; what has nothing to say is left out."""
    shown = display(plan)
    for label, figure in with_missing(shown.memory, plan.feasibility.shortfall_bytes):
        yield f"{SIGNS.get(label, '')} {label}".strip(), figure
    told = (("Context", shown.context), ("Concurrency", shown.concurrency), ("Speed", shown.speed))
    yield from ((label, text) for label, text in told if text)


def memory_bar(plan: Plan, box: Box) -> Iterator[str]:
    """The memory of one GPU, each part with its sign in it, so that no colour has to be told from another."""
    left = box.left
    for sign, cells in memory_runs(plan.memory, plan.feasibility.shortfall_bytes, box.width):
        if cells:
            yield f'<rect x="{left}" y="{box.top}" width="{cells}" height="{box.height}" fill="{_FILLS[sign]}"/>'
        if cells >= box.letter:
            yield _text(left + cells // 2, box.top + box.height // 2 + 5, sign, "in", middle=True)
        left += cells


def _text(x: int, y: int, words: str, kind: str = "", *, middle: bool = False) -> str:
    style = f' class="{kind}"' * bool(kind) + ' text-anchor="middle"' * middle
    return f'<text x="{x}" y="{y}"{style}>{escape(words)}</text>'


_CURVE, _HEIGHT, _LEFT, _RIGHT, _BELOW, _ABOVE = 1000, 360, 90, 120, 50, 30
"""Sizes in the picture's own units: the whole, and what the axes' words take on each side."""


def curve(points: Sequence[LoadPoint]) -> str:
    """The points as an SVG, each with its number of requests beside it; from left to right one token takes longer."""
    times = [point.estimate.tpot_ms.mean for point in points]
    rates = [point.estimate.output_tokens_per_s.mean for point in points]
    places = [(_across(time, max(times)), _up(rate, max(rates))) for time, rate in zip(times, rates, strict=True)]
    line = " ".join(f"{x:.0f},{y:.0f}" for x, y in places)
    dots = "".join(
        f'<circle cx="{x:.0f}" cy="{y:.0f}" r="5" fill="currentColor"/>'
        f'<text x="{x - 12:.0f}" y="{y - 6:.0f}" text-anchor="end">{point.concurrency} at once</text>'
        for (x, y), point in zip(places, points, strict=True)
    )
    said = escape("; ".join(map(_said, points)))
    bottom = _HEIGHT - _BELOW
    return (
        f'<svg viewBox="0 0 {_CURVE} {_HEIGHT}" role="img" aria-label="{said}" fill="currentColor">'
        f'<path d="M{_LEFT} {_ABOVE}V{bottom}H{_CURVE - _RIGHT}" fill="none" stroke="currentColor"/>'
        f'<polyline points="{line}" fill="none" stroke="currentColor" stroke-width="2"/>{dots}'
        f'<text x="{_LEFT}" y="{_ABOVE - 10}">{max(rates):,.0f} tokens/s</text>'
        f'<text x="{_CURVE - _RIGHT}" y="{bottom + 30}" text-anchor="end">{max(times):,.1f} ms a token</text></svg>'
    )


def _across(time: float, most: float) -> float:
    return _LEFT + (_CURVE - _LEFT - _RIGHT) * time / most


def _up(rate: float, most: float) -> float:
    return _HEIGHT - _BELOW - (_HEIGHT - _BELOW - _ABOVE) * rate / most


def _said(point: LoadPoint) -> str:
    found = point.estimate
    return (
        f"{point.concurrency} at once: {found.tpot_ms.mean:,.1f} ms a token, {found.output_tokens_per_s.mean:,.0f} "
        "tokens/s"
    )
