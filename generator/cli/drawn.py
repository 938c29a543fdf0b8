"""Strings with few styles, drawn as rich draws them but without rich, whose import is a tenth of `plan`.

What is more than that (tables, other alphabets, streams that the environment speaks of) is rich's.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple, TextIO

_ATTRIBUTES = {"bold": 1, "dim": 2}
_COLOURS = {
    "default": 39, "red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35, "cyan": 36, "bright_black": 90,
    "bright_blue": 94,
}  # fmt: skip
_TAG = re.compile(r"(\\*)\[([a-z#/@][^\[]*?)\]")
_WORD = re.compile(r"\s*\S+\s*")
_ASKED = ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "JUPYTER_COLUMNS", "DATABRICKS_RUNTIME_VERSION")
"""Variables of the environment by which rich takes a stream for another than it is."""
_NARROW = 80


class Styled(NamedTuple):
    """A piece of text in one style."""

    text: str
    style: tuple[str, ...]


def drawn(text: str, stream: TextIO, *, whole: bool = False) -> str | None:
    """The marked-up text as the stream shows it, broken at its width unless `whole`; None where rich is needed."""
    if not (text.isascii() and os.name == "posix") or "\t" in text or any(map(os.environ.get, _ASKED)):
        return None
    pieces = _pieces(text)
    if pieces is None:
        return None
    codes, lines = stream.isatty() and not _is_dumb(), _lines(pieces)
    broken = lines if whole else [part for line in lines for part in _broken(line, width(stream))]
    return "".join(f"{_shown(line, codes=codes)}\n" for line in broken)


def width(stream: TextIO) -> int:
    """Columns of the terminal; 80 where there is none, and on one that cannot say."""
    stated = os.environ.get("COLUMNS", "")
    if stated.isdecimal() and int(stated):
        return int(stated)
    for asked in () if stream.isatty() and _is_dumb() else (0, 1, 2):
        with suppress(OSError):
            return os.get_terminal_size(asked).columns or _NARROW
    return _NARROW


def escaped(text: str) -> str:
    """The text as marked-up text that shows it as it is."""
    found = _TAG.sub(lambda tag: f"{tag[1]}{tag[1]}\\[{tag[2]}]", text)
    return f"{found}\\" if found.endswith("\\") and not found.endswith("\\\\") else found


def _is_dumb() -> bool:
    return os.environ.get("TERM", "").lower() in {"dumb", "unknown"}


def _pieces(text: str) -> list[Styled] | None:
    """The text without its marks, piece by piece; None where a mark is none of these, or closes what is not open."""
    found: list[Styled] = []
    open_: list[str] = []
    last = 0
    for tag in _TAG.finditer(text):
        shown, escaped_too = divmod(len(tag[1]), 2)
        literal = f"[{tag[2]}]" if escaped_too else ""
        found.append(Styled(_unescaped(text[last : tag.start()]) + "\\" * shown + literal, tuple(open_)))
        last = tag.end()
        if not (literal or _taken(tag[2], open_)):
            return None
    found.append(Styled(_unescaped(text[last:]), tuple(open_)))
    return found


def _unescaped(text: str) -> str:
    return text.replace("\\[", "[")


def _taken(tag: str, open_: list[str]) -> bool:
    """Whether the mark is one of these; it is opened, or closed where it is the last one open."""
    if tag.startswith("/"):
        return bool(open_) and tag[1:] in {"", open_.pop()}
    open_.append(tag)
    return all(word in _ATTRIBUTES or word in _COLOURS for word in tag.split())


def _lines(pieces: list[Styled]) -> list[list[Styled]]:
    lines: list[list[Styled]] = [[]]
    for piece in pieces:
        first, *others = piece.text.split("\n")
        lines[-1].append(Styled(first, piece.style))
        lines += [[Styled(other, piece.style)] for other in others]
    return lines


def _broken(line: list[Styled], columns: int) -> Iterator[list[Styled]]:
    """The line as lines of so many columns, each without the spaces that are beyond them."""
    text = "".join(piece.text for piece in line)
    ends = [*_breaks(text, columns), len(text)]
    for start, end in zip([0, *ends], ends, strict=False):
        part = text[start:end]
        beyond = max(len(part) - columns, 0)
        kept = end - min(beyond, len(part) - len(part.rstrip()))
        yield list(_between(line, start, kept))


def _breaks(text: str, columns: int) -> Iterator[int]:
    """Where lines begin, but the first: before a word that has no room, and inside one that has none anywhere."""
    used = 0
    for word in _WORD.finditer(text):
        length = len(word[0].rstrip())
        if length <= columns - used:
            used += len(word[0])
        elif length > columns:
            starts = range(word.start(), word.end(), columns)
            yield from (start for start in starts if start)
            used = word.end() - starts[-1]
        else:
            yield word.start()
            used = len(word[0])


def _between(line: list[Styled], start: int, end: int) -> Iterator[Styled]:
    at = 0
    for piece in line:
        yield Styled(piece.text[max(start - at, 0) : max(end - at, 0)], piece.style)
        at += len(piece.text)


def _shown(line: list[Styled], *, codes: bool) -> str:
    """The line with its colours, one run of pieces of the same style after the other."""
    runs = ((style, "".join(piece.text for piece in run)) for style, run in groupby(line, attrgetter("style")))
    return "".join(_coded(text, style) if codes else text for style, text in runs)


def _coded(text: str, style: tuple[str, ...]) -> str:
    words = [word for one in style for word in one.split()]
    marks = sorted({_ATTRIBUTES[word] for word in words if word in _ATTRIBUTES})
    if not os.environ.get("NO_COLOR"):
        marks += [_COLOURS[word] for word in words if word in _COLOURS][-1:]
    return f"\x1b[{';'.join(map(str, marks))}m{text}\x1b[0m" if marks and text else text
