"""What a migration means for the user's own files: they are never rewritten, this is the patch to apply by hand."""

import re
from collections.abc import Sequence
from difflib import unified_diff
from functools import partial

from generator.models.migration import Mention, MigrationNote

_CONTEXT = 1


def mentions(file: str, text: str, notes: Sequence[MigrationNote]) -> tuple[Mention, ...]:
    """Lines of one file that name an argument which a migration renamed, dropped or gave another value."""
    telling = [note for note in notes if note.kind in ("renamed", "dropped", "replaced")]
    return tuple(
        Mention(file=file, line=number, text=line.strip(), flag=note.flag, advice=_advice(note))
        for number, line in enumerate(text.splitlines(), 1)
        for note in telling
        if _word(note.flag).search(line)
    )


def patch(file: str, text: str, notes: Sequence[MigrationNote]) -> str:
    """A patch for `git apply` that renames what was renamed; empty where the file mentions none of it."""
    changed = text
    for old, new in filter(None, (note.renames for note in notes)):
        changed = _word(old).sub(partial(_renamed, new), changed)
    lines = unified_diff(
        text.splitlines(keepends=True), changed.splitlines(keepends=True), f"a/{file}", f"b/{file}", n=_CONTEXT
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _advice(note: MigrationNote) -> str:
    if note.renames:
        return f"write {_spelled(note.renames[1], '-')}: {note.reason}"
    if note.kind == "dropped":
        return f"remove it: {note.reason}"
    return f"{note.before!r} is {note.after!r} now: {note.reason}"


def _word(flag: str) -> re.Pattern[str]:
    """The argument in either spelling, with its negation; not as a part of a longer word."""
    return re.compile(rf"(?<![\w-])((?:--)?(?:no[-_])?)({re.escape(flag).replace('_', '[-_]')})(?![\w-])")


def _renamed(new: str, found: re.Match[str]) -> str:
    return found[1] + _spelled(new, found[2])


def _spelled(flag: str, like: str) -> str:
    return flag.replace("_", "-") if "-" in like else flag
