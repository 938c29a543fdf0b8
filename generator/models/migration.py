"""Migrations: what became of an argument or a value between two vLLM releases."""

from __future__ import annotations

from typing import Any, Literal

from generator.models.value import Made, Value

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
