"""Tokens a second against the time of one, for more and more requests at once: a picture for light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from generator.models.estimate import LoadPoint

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _BELOW, _ABOVE = 1000, 360, 90, 120, 50, 30
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
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{said}" fill="currentColor">'
        f'<path d="M{_LEFT} {_ABOVE}V{bottom}H{_WIDTH - _RIGHT}" fill="none" stroke="currentColor"/>'
        f'<polyline points="{line}" fill="none" stroke="currentColor" stroke-width="2"/>{dots}'
        f'<text x="{_LEFT}" y="{_ABOVE - 10}">{max(rates):,.0f} tokens/s</text>'
        f'<text x="{_WIDTH - _RIGHT}" y="{bottom + 30}" text-anchor="end">{max(times):,.1f} ms a token</text></svg>'
    )


def _across(time: float, most: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * time / most


def _up(rate: float, most: float) -> float:
    return _HEIGHT - _BELOW - (_HEIGHT - _BELOW - _ABOVE) * rate / most


def _said(point: LoadPoint) -> str:
    found = point.estimate
    return (
        f"{point.concurrency} at once: {found.tpot_ms.mean:,.1f} ms a token, {found.output_tokens_per_s.mean:,.0f} "
        "tokens/s"
    )
