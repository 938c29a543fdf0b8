"""Figures as people type them: sizes with a unit, shares in percent, durations, thousands."""

import re
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

import typer

_NUMBER = re.compile(r"(\d[\d,_]*(?:\.\d+)?|\.\d+)\s*([a-z%]*)", re.IGNORECASE)
_GIB = {"": 1.0, "g": 1.0, "gb": 1.0, "gib": 1.0, "m": 1 / 1024, "mb": 1 / 1024, "mib": 1 / 1024, "t": 1024.0}
"""GiB of each unit; people write GB for what a driver counts in GiB."""
_MS = {"": 1.0, "ms": 1.0, "s": 1000.0, "sec": 1000.0}
_PERCENT = 2
"""From here on a share without a sign is meant in percent."""
_SHARE = {"": 1.0, "%": 0.01}


def size_gib(text: str) -> float:
    """GiB of `24`, `24GB`, `24 GiB` or `500 MiB`."""
    return _read(text, _GIB, "a size: write GiB, like 24 or 24GB")


def milliseconds(text: str) -> float:
    """Milliseconds of `500`, `500ms` or `2s`."""
    return _read(text, _MS, "a time: write milliseconds, like 500, or 0.5s")


def share(text: str) -> float:
    """A share of `0.9` or `90%`; 90 without its sign is refused with both ways to write it."""
    found = _read(text, _SHARE, "a share: write 0.9 or 90%")
    if found >= _PERCENT and "%" not in text and isfinite(found):
        raise typer.BadParameter(f"{text!r} is more than the whole: write {found / 100:g} or {found:g}%")
    return round(found, 12)


def price(text: str) -> float:
    """A price of `2.5` or `$2.50`."""
    return _read(text.strip().lstrip("$"), {"": 1.0, "usd": 1.0}, "a price: write it like 2.50")


def _read(text: str, units: Mapping[str, float], what: str) -> float:
    try:
        return float(text) * units[""]  # what is out of range is refused with the option's own bounds
    except ValueError:
        found = _NUMBER.fullmatch(text.strip())
    if found is None or found[2].lower() not in units:
        raise typer.BadParameter(f"{text!r} is not {what}")
    return float(re.sub("[,_]", "", found[1])) * units[found[2].lower()]


PARSERS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("vram_gb", "reserve_gb", "headroom_gb"), size_gib),
    **dict.fromkeys(("ttft_ms", "tpot_ms"), milliseconds),
    **dict.fromkeys(("gpu_memory_utilization", "prefix_hit_ratio", "acceptance_rate"), share),
    "price": price,
}
"""How the options are read whose figures people write with a unit."""
