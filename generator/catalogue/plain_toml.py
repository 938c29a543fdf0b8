"""The part of TOML that this package's tables are written in, a value a line: its reading is a fifth of the language's.

A start reads twenty tables. What is not of this part is not read here; what is, is as `tomllib` reads it.
"""

from __future__ import annotations

import re
from typing import Any

_NAME = r"[A-Za-z0-9_-]+"
_PIECE = r'[^"\\\x00-\x1f\x7f]*'
_TEXT = rf'"{_PIECE}(?:\\["\\]{_PIECE})*"'
_ONE = rf"""(?:{_TEXT}|'[^'\x00-\x1f\x7f]*'|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?|true|false)"""
_LIST = rf"\[(?:{_ONE}(?:, {_ONE})*)?\]"
_PAIR = rf"""(?:{_NAME}|"[A-Za-z0-9_.-]+") = (?:{_ONE}|{_LIST})"""
_STATEMENT = re.compile(
    rf"(?P<name>{_NAME}) = (?P<value>{_ONE}|{_LIST}|'''[^'\x00-\x1f\x7f]*'''|\{{ {_PAIR}(?:, {_PAIR})* \}})"
    rf"|\[\[(?P<row>{_NAME})\]\]|\[(?P<part>{_NAME})\]|(?P<nothing>(?:#[^\x00-\x08\x0a-\x1f\x7f]*)?)"
)
_EACH, _EACH_PAIR = re.compile(_ONE), re.compile(_PAIR)
_ESCAPED = re.compile(r"\\(.)")
_BLANK = " \t\n"
_BETWEEN = re.compile(rf"\n(?=[^{_BLANK}\]])")
"""Where a statement ends: the next line is neither set in, nor the end of a list."""


class NotPlainError(ValueError):
    """The text says something in another way, or twice, or wrongly."""


def plain(text: str) -> dict[str, Any] | None:
    """What the text holds, as `tomllib.loads` gives it; None where it is not plain."""
    reading = _Reading()
    try:
        for statement in _BETWEEN.split(text):
            reading.take(statement.rstrip(_BLANK))
    except NotPlainError:
        return None
    return reading.content


class _Reading:
    """A text that is being read, statement by statement."""

    def __init__(self) -> None:
        self.content: dict[str, Any] = {}
        self._into = self.content
        self._rows: dict[str, list[dict[str, Any]]] = {}

    def take(self, statement: str) -> None:
        """Add what the next statement says."""
        found = _STATEMENT.fullmatch(statement)
        kind = found.lastgroup if found else None
        if found is None or kind is None:
            for name, value in _alone(statement).items():
                _add(self._into, name, value)
        elif kind == "value":
            _add(self._into, found["name"], _value(found["value"]))
        elif kind != "nothing":
            self._into = {}
            self._begin(found[kind], row=kind == "row")

    def _begin(self, name: str, *, row: bool) -> None:
        if not row:
            _add(self.content, name, self._into)
            return
        if name not in self._rows:
            _add(self.content, name, self._rows.setdefault(name, []))
        self._rows[name].append(self._into)


def _add(to: dict[str, Any], name: str, value: Any) -> None:
    if name in to:
        raise NotPlainError(name)
    to[name] = value


def _alone(statement: str) -> dict[str, Any]:
    """What a statement of another shape says, where it stands by itself."""
    import tomllib  # noqa: PLC0415 - start-up time

    if statement.startswith("["):
        raise NotPlainError(statement)
    try:
        return tomllib.loads(statement)
    except tomllib.TOMLDecodeError as error:
        raise NotPlainError(statement) from error


def _value(text: str) -> Any:
    first = text[0]
    if first == '"':
        return _ESCAPED.sub(r"\1", text[1:-1]) if "\\" in text else text[1:-1]
    if first == "'":
        return text[3:-3] if text.startswith("'''") else text[1:-1]
    if first == "[":
        return [_value(one) for one in _EACH.findall(text)]
    if first == "{":
        return _pairs(text)
    if first in "tf":
        return first == "t"
    return float(text) if "." in text or "e" in text else int(text)


def _pairs(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in _EACH_PAIR.findall(text):
        name, _, value = pair.partition(" = ")
        _add(found, name.strip('"'), _value(value))
    return found
