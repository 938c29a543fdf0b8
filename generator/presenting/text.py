"""Figures as short strings that a person reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from unicodedata import category

from generator.units import GIB, MIB

if TYPE_CHECKING:
    from generator.models.interval import ByteInterval

_CONTROLS = frozenset({"Cc", "Cf", "Zl", "Zp"})
"""Categories of characters that show nothing: controls, directions, separators of lines."""


def gib_text(value: int) -> str:
    """Bytes as GiB with two decimals below 10, one below 1000; under a tenth of a GiB as MiB."""
    if abs(value) < GIB // 10:
        return f"{value / MIB:.0f} MiB"
    amount = value / GIB
    return f"{amount:.2f} GiB" if abs(amount) < 10 else f"{amount:,.1f} GiB"  # noqa: PLR2004 - two decimals below ten


def interval_text(value: ByteInterval) -> str:
    """An interval as `12.3 GiB`, with its range where it has one."""
    if value.low == value.high:
        return gib_text(value.expected)
    return f"{gib_text(value.expected)} ({value.low / GIB:.2f} to {value.high / GIB:.2f})"


def tokens_text(value: int) -> str:
    """Tokens with thousands separators."""
    return f"{value:,}"


def count_text(value: int) -> str:
    """A large count as `8.0B` or `596M`."""
    for size, letter in ((10**12, "T"), (10**9, "B"), (10**6, "M")):
        if value >= size:
            return f"{value / size:.1f}{letter}"
    return f"{value:,}"


def times_text(value: float) -> str:
    """A concurrency as vLLM logs it: `12.34x`."""
    return f"{value:,.2f}x"


def duration_text(milliseconds: float) -> str:
    """A duration in milliseconds below a second, else in seconds: `85.3 ms`, `604 s`."""
    if milliseconds < 1000:  # noqa: PLR2004 - milliseconds of a second
        return f"{milliseconds:,.{0 if milliseconds >= 100 else 1}f} ms"  # noqa: PLR2004 - three digits tell enough
    seconds = milliseconds / 1000
    return f"{seconds:,.{0 if seconds >= 100 else 1}f} s"  # noqa: PLR2004 - three digits tell enough


def plural(count: int, noun: str) -> str:
    """`1 GPU`, `2 GPUs`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def some(words: Sequence[str], most: int = 5) -> str:
    """The first words, at most so many, and how many more there are: `a, b and 3 more`."""
    rest = len(words) - most
    return ", ".join(words[:most]) + (f" and {rest} more" if rest > 0 else "")


def short_tokens_text(value: int) -> str:
    """Tokens in few letters: `40k`, `1.0M`."""
    if value >= 1_000_000:  # noqa: PLR2004 - a million
        return f"{value / 1_000_000:.1f}M"
    return f"{value // 1024}k" if value >= 1024 else str(value)  # noqa: PLR2004 - contexts are counted in 1,024


def clean(text: str) -> str:
    """The text with control and direction characters spelled out as JSON does, which reads them as the very same."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(f"\\u{ord(one):04x}" if category(one) in _CONTROLS and one not in "\n\t" else one for one in text)
