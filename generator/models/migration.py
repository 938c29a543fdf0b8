"""Migrations: what became of an argument or a value between two vLLM releases, and what to write in its place."""

import json
from collections.abc import Mapping
from typing import Any, Literal

from generator.models.value import NONE, Made, Value

MigrationKind = Literal["renamed", "replaced", "dropped", "pinned", "default"]


class MigrationRow(Made):
    """One word that a release no longer has, and its successor where there is one."""

    release: str
    """First release without the old word."""
    flag: str
    value: Any = None
    """The old value, for a row about one value of the argument."""
    to: str | None = None
    """The new word: of the argument, or of the value."""
    dropped: bool = False
    """True where leaving the argument out is right."""
    reason: str


class MigrationNote(Value):
    """One thing that moving to another release did, or that its owner should know."""

    kind: MigrationKind
    """`pinned`: an old default became an override; `default`: a new default is accepted."""
    flag: str
    """The argument's name in the release that is left."""
    before: Any
    """Its value, or the default, there."""
    flag_after: str | None
    """Its name in the new release; None where it is gone."""
    after: Any
    reason: str

    @property
    def renames(self) -> tuple[str, str] | None:
        """The old and the new name, where only the name changed."""
        return (self.flag, self.flag_after) if self.kind == "renamed" and self.flag_after else None


class Migration(Value):
    """A user's engine arguments, carried to another release."""

    overrides: dict[str, Any]
    notes: tuple[MigrationNote, ...] = ()


class Mention(Value):
    """A line of a file that is the user's and names an argument that a migration changed."""

    file: str
    line: int
    text: str
    flag: str
    advice: str


class Successor(Made):
    """What became of one argument."""

    last: str
    """The last release that has it."""
    instead: str
    """What to do; {value} stands for the value that was given, braces are doubled where there is such a place."""
    values: Mapping[str, str] = NONE
    """What to do for one value, by its JSON or plain word."""

    def advice(self, value: Any) -> str:
        """What to do with the argument set to `value`, None for any: one sentence without its end."""
        word = value if isinstance(value, str) else json.dumps(value)
        plain = value is None or (isinstance(value, str) and '"{value}"' in self.instead)
        text = ("VALUE" if value is None else value) if plain else json.dumps(value)
        said = self.values.get(word)
        return f"it went after vLLM {self.last}: {said or self.instead.format(value=text)}"
