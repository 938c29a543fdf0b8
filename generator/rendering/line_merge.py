"""merged_lines(): hunks of a conflict that end without hands: each line was changed by one side, or only got words."""

import re
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from typing import NamedTuple

_HUNK = re.compile(
    r"^<{7} [^\n]*\n(?P<ours>.*?)^\|{7} [^\n]*\n(?P<base>.*?)^={7}\n(?P<theirs>.*?)^>{7} [^\n]*\n",
    re.MULTILINE | re.DOTALL,
)


_ALIKE, _UNLIKE = 0.65, 0.5
"""Shares of two lines that are the same: of one line worded anew, and of lines that have nothing to do with it."""
Earlier = Mapping[str, frozenset[str]]
"""By line of the base: what the template rendered in its place for earlier answers. Nobody wrote that."""


class _Side(NamedTuple):
    """One side of a hunk along the base: what each line became, and what was put before it (and behind the last)."""

    lines: list[str | None]
    """None where it went."""
    gaps: list[list[str]]


def earlier_lines(base: str, texts: Iterable[str]) -> Earlier:
    """What stood in the place of each line of `base` in other renderings of the same file."""
    lines, found = base.splitlines(), {}  # type: list[str], dict[str, frozenset[str]]
    for text in texts:
        old = text.splitlines()
        for kind, start, end, first, last in SequenceMatcher(None, lines, old, autojunk=False).get_opcodes():
            if kind == "replace" and end - start == last - first:
                for line, was in zip(lines[start:end], old[first:last], strict=True):
                    found[line] = found.get(line, frozenset()) | ({was} if was.strip() else frozenset())
    return found


def merged_lines(conflicted: str, *, prose: bool = False, earlier: Earlier | None = None) -> str | None:
    """The text without its conflicts; None where one is left. `conflicted` is of `git merge-file --diff3`.

    A line that one side changed is that side's; one to which a side only added words at an end is the other's with the
    same words; lines that one side added stay between those that they stood between. In `prose` a line that one side
    took out goes; elsewhere that needs a person, and a line that begins with `#` is a comment: those of both sides at
    one place are kept. What was rendered `earlier` in a line's place is no change of it.
    """
    failed = False

    def settled(found: re.Match[str]) -> str:
        nonlocal failed
        base, ours, theirs = (found[name].splitlines() for name in ("base", "ours", "theirs"))
        done = _settled(base, ours, theirs, earlier or {}, prose=prose)
        failed |= done is None
        return "".join(f"{line}\n" for line in done or ())

    text = _HUNK.sub(settled, conflicted)
    return None if failed else text


def _settled(base: list[str], ours: list[str], theirs: list[str], earlier: Earlier, *, prose: bool) -> list[str] | None:
    """The lines of one hunk; None where the sides meet."""
    mine, other = (_along(base, side, earlier, prose=prose) for side in (ours, theirs))
    if mine is None or other is None:
        return None
    done: list[str] = []
    for at in range(len(base) + 1):
        put = _both(mine.gaps[at], other.gaps[at], comments=not prose)
        if put is None:
            return None
        done += put
        if at < len(base):
            line = _line(base[at], mine.lines[at], other.lines[at])
            if line is None:
                return None
            done += line
    return done


def _along(base: list[str], side: list[str], earlier: Earlier, *, prose: bool) -> _Side | None:
    """What a side made of the base, line by line; None where a line went, but in prose, or cannot be told apart."""
    lines, gaps = list(base), [[] for _ in range(len(base) + 1)]  # type: list[str | None], list[list[str]]
    for kind, start, end, first, last in SequenceMatcher(None, base, side, autojunk=False).get_opcodes():
        if kind == "insert":
            gaps[start] += side[first:last]
        elif kind == "replace" and end - start == last - first:
            lines[start:end] = side[first:last]
        elif kind != "equal":
            block = _with_words(base[start:end], side[first:last], prose=prose)
            if block is None:
                return None
            lines[start:end] = block.lines
            for at, put in enumerate(block.gaps, start):
                gaps[at] += put
    known = (earlier.get(old, frozenset()) for old in base)
    return _Side([old if line in was else line for old, line, was in zip(base, lines, known, strict=True)], gaps)


def _with_words(base: list[str], side: list[str], *, prose: bool) -> _Side | None:
    """Lines that kept their words, or can be told by them, with new ones around them."""
    lines, gaps, left = [], [], list(side)  # type: list[str | None], list[list[str]], list[str]
    for old in base:
        shares = [SequenceMatcher(None, old, line, autojunk=False).ratio() for line in left]
        at = next((i for i, line in enumerate(left) if _holds(line, old)), _alike(shares))
        if at is None and not (prose and all(share <= _UNLIKE for share in shares)):
            return None
        gaps.append(left[: at or 0])
        lines.append(None if at is None else left[at])
        left = left if at is None else left[at + 1 :]
    return _Side(lines, [*gaps, left])


def _alike(shares: list[float]) -> int | None:
    """Where the line stands that is another one worded anew; None where none is, or more than one could be."""
    alike = [at for at, share in enumerate(shares) if share >= _ALIKE]
    unlike = [at for at, share in enumerate(shares) if share <= _UNLIKE]
    return alike[0] if len(alike) == 1 and len(unlike) == len(shares) - 1 else None


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


def _line(old: str, ours: str | None, theirs: str | None) -> list[str] | None:
    """What becomes of one line of the base, no line where one side took it out; None where both say something else."""
    if theirs in (old, ours):
        return [] if ours is None else [ours]
    if ours == old:
        return [] if theirs is None else [theirs]
    if ours is None or theirs is None:
        return None
    worded, changed = (ours, theirs) if _holds(ours, old) else (theirs, ours)
    if not _holds(worded, old):
        return None
    before, _, behind = worded.partition(old)
    if behind and changed.endswith("\\"):  # it goes on in the next line, and what is behind would end it
        return None
    return [f"{before}{changed}{behind}"]


def _holds(line: str, old: str) -> bool:
    """True where the line is the old one with words before or behind it, or neither."""
    if line == old:
        return True
    if not old.strip():
        return False
    return line.startswith(f"{old} ") or line.endswith(f" {old}")
