"""merged_lines(): hunks of a conflict that end without hands: each line was changed by one side, or only got words."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import NamedTuple

_HUNK = re.compile(
    r"^<{7} [^\n]*\n(?P<ours>.*?)^\|{7} [^\n]*\n(?P<base>.*?)^={7}\n(?P<theirs>.*?)^>{7} [^\n]*\n",
    re.MULTILINE | re.DOTALL,
)


class _Side(NamedTuple):
    """One side of a hunk along the base: what each line became, and what was put before it (and behind the last)."""

    lines: list[str]
    gaps: list[list[str]]


def merged_lines(conflicted: str, *, comments: bool = False) -> str | None:
    """The text without its conflicts; None where one is left. `conflicted` is of `git merge-file --diff3`.

    A line that one side changed is that side's; one to which a side only added words at an end is the other's with the
    same words; lines that one side added stay between those that they stood between. With `comments` a line that
    begins with `#` is one, and both sides' comments at one place are kept.
    """
    failed = False

    def settled(found: re.Match[str]) -> str:
        nonlocal failed
        base, ours, theirs = (found[name].splitlines() for name in ("base", "ours", "theirs"))
        done = _settled(base, ours, theirs, comments=comments)
        failed |= done is None
        return "".join(f"{line}\n" for line in done or ())

    text = _HUNK.sub(settled, conflicted)
    return None if failed else text


def _settled(base: list[str], ours: list[str], theirs: list[str], *, comments: bool) -> list[str] | None:
    """The lines of one hunk; None where the sides meet."""
    mine, other = _along(base, ours), _along(base, theirs)
    if mine is None or other is None:
        return None
    done: list[str] = []
    for at in range(len(base) + 1):
        put = _both(mine.gaps[at], other.gaps[at], comments=comments)
        if put is None:
            return None
        done += put
        if at < len(base):
            line = _line(base[at], mine.lines[at], other.lines[at])
            if line is None:
                return None
            done.append(line)
    return done


def _along(base: list[str], side: list[str]) -> _Side | None:
    """What a side made of the base, line by line; None where a line went, or cannot be told from another."""
    lines, gaps = list(base), [[] for _ in range(len(base) + 1)]  # type: list[str], list[list[str]]
    for kind, start, end, first, last in SequenceMatcher(None, base, side, autojunk=False).get_opcodes():
        if kind == "insert":
            gaps[start] += side[first:last]
        elif kind == "replace" and end - start == last - first:
            lines[start:end] = side[first:last]
        elif kind != "equal":
            block = _with_words(base[start:end], side[first:last])
            if block is None:
                return None
            lines[start:end] = block.lines
            for at, put in enumerate(block.gaps, start):
                gaps[at] += put
    return _Side(lines, gaps)


def _with_words(base: list[str], side: list[str]) -> _Side | None:
    """Lines that kept their words, with new ones around them."""
    lines, gaps, left = [], [], list(side)  # type: list[str], list[list[str]], list[str]
    for old in base:
        at = next((i for i, line in enumerate(left) if _holds(line, old)), None)
        if at is None:
            return None
        gaps.append(left[:at])
        lines.append(left[at])
        left = left[at + 1 :]
    return _Side(lines, [*gaps, left])


def _both(ours: list[str], theirs: list[str], *, comments: bool) -> list[str] | None:
    """What both sides put at one place, where one of them put nothing more than the other, or both put comments."""
    if _within(theirs, ours):
        return ours
    if _within(ours, theirs):
        return theirs
    return ours + theirs if comments and all(line.startswith("#") for line in ours + theirs) else None


def _within(few: list[str], many: list[str]) -> bool:
    """True where all the lines are among the others, in their order."""
    left = iter(many)
    return all(line in left for line in few)


def _line(old: str, ours: str, theirs: str) -> str | None:
    """One line of the base, as both sides have it; None where both say something else."""
    if theirs in (old, ours):
        return ours
    if ours == old:
        return theirs
    worded, changed = (ours, theirs) if _holds(ours, old) else (theirs, ours)
    if not _holds(worded, old):
        return None
    before, _, behind = worded.partition(old)
    if behind and changed.endswith("\\"):  # it goes on in the next line, and what is behind would end it
        return None
    return f"{before}{changed}{behind}"


def _holds(line: str, old: str) -> bool:
    """True where the line is the old one with words before or behind it, or neither."""
    if line == old:
        return True
    if not old.strip():
        return False
    return line.startswith(f"{old} ") or line.endswith(f" {old}")
