"""Bash arrays of a script, put where they are used: options are often kept in one."""

from __future__ import annotations

import re

_MADE = re.compile(
    r"^[ \t]*(?:(?:declare|local|readonly)[ \t]+(?:-\w+[ \t]+)*)?(\w+)(\+?)=\(([^)]*)\)[ \t]*(?:#.*)?$", re.MULTILINE
)
_USED = re.compile(r"\"?\$\{(\w+)\[[@*]\]\}\"?")
_COMMENT = re.compile(r"(^|\s)#.*$", re.MULTILINE)


def without_arrays(text: str) -> str:
    """The script with each array's words where it is used; one that nothing makes is left as it is written."""
    held: dict[str, str] = {}
    for name, added, words in _MADE.findall(text):
        plain = " ".join(_COMMENT.sub(" ", words.replace("\\\n", " ")).split("\n"))
        held[name] = f"{held.get(name, '')} {plain}" if added else plain
    if not held:
        return text
    return _USED.sub(lambda found: held.get(found[1], found[0]), _MADE.sub("", text))
