"""merged_lines(): hunks of a conflict that end without hands: words of ours before or behind a line of theirs."""

from __future__ import annotations

import re

_HUNK = re.compile(
    r"^<{7} [^\n]*\n(?P<ours>.*?)^\|{7} [^\n]*\n(?P<base>.*?)^={7}\n(?P<theirs>.*?)^>{7} [^\n]*\n",
    re.MULTILINE | re.DOTALL,
)


def merged_lines(conflicted: str) -> str | None:
    """The text without its conflicts; None where one is left. `conflicted` is of `git merge-file --diff3`.

    A line to which our side only added words at an end is theirs with the same words; a line of ours alone stays
    between those that it stood between.
    """
    failed = False

    def settled(found: re.Match[str]) -> str:
        nonlocal failed
        sides = [found[name].splitlines() for name in ("base", "ours", "theirs")]
        done = _settled(*sides)
        failed |= done is None
        return "".join(f"{line}\n" for line in done or ())

    text = _HUNK.sub(settled, conflicted)
    return None if failed else text


def _settled(base: list[str], ours: list[str], theirs: list[str]) -> list[str] | None:
    """The lines of one hunk; None where the sides meet."""
    if len(base) != len(theirs):
        return None
    done: list[str] = []
    mine = list(ours)
    for old, new in zip(base, theirs, strict=True):
        while mine and not _holds(mine[0], old):
            done.append(mine.pop(0))
        if not mine:
            return None
        before, _, behind = mine.pop(0).partition(old)
        if behind and new.endswith("\\"):  # it goes on in the next line, and what is behind would end it
            return None
        done.append(f"{before}{new}{behind}")
    return [*done, *mine]


def _holds(line: str, old: str) -> bool:
    """True where the line is the old one with words before or behind it, or neither."""
    if line == old:
        return True
    if not old.strip():
        return False
    return line.startswith(f"{old} ") or line.endswith(f" {old}")
