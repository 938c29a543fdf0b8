"""migrate(): a user's engine arguments, carried from one vLLM release to another, up or down."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from generator.errors import RequestError
from generator.models.engine import Engine, Flag
from generator.models.migration import Migration, MigrationNote, MigrationRow

_OFF = "left out: vLLM {version} does not have it, and it was off"


def migrate(
    overrides: Mapping[str, Any],
    before: Engine,
    after: Engine,
    rows: Sequence[MigrationRow],
    *,
    planned: frozenset[str] = frozenset(),
    keep_defaults: bool = False,
) -> Migration:
    """The overrides as `after` reads them, with a note on everything that changed on the way.

    `planned` are arguments that the plan sets itself: their defaults do not matter. With `keep_defaults` a default that
    changed is written into the overrides; otherwise the new one is accepted, and the notes say so.

    Raises:
        RequestError: `after` refuses a value, or lacks an argument without successor; names the releases that have it.
    """
    between = _Between(before, after, tuple(rows))
    carried: dict[str, Any] = {}
    notes: list[MigrationNote] = []
    for name, value in overrides.items():
        note, words = between.carried(name, value)
        notes += [note] if note else []
        carried |= {key: word for key, word in words.items() if key not in overrides or key == name}
    for note in between.defaults(planned | carried.keys() | overrides.keys()):
        pinned = keep_defaults and _pinnable(after, note)
        notes.append(note.model_copy(update={"kind": "pinned", "after": note.before}) if pinned else note)
        carried |= {note.flag: note.before} if pinned else {}
    return Migration(overrides=carried, notes=tuple(notes))


class _Between:
    """Two releases and the rows that lie between them, in the order in which they are met."""

    def __init__(self, before: Engine, after: Engine, rows: tuple[MigrationRow, ...]) -> None:
        self._before, self._after = before, after
        low, high = sorted((_order(before.version), _order(after.version)))
        self._up = _order(after.version) == high
        met = sorted((row for row in rows if low < _order(row.release) <= high), key=lambda row: _order(row.release))
        self._rows = met if self._up else met[::-1]

    def carried(self, name: str, value: Any) -> tuple[MigrationNote | None, dict[str, Any]]:
        """What becomes of one override: a note where it changes, and the override under its name in `after`."""
        new, reason = self._renamed(name)
        if new not in self._after.by_name:
            return self._without_successor(name, value)
        if value is None:
            read, why = None, ""
        else:
            read, why = self._value(name, new, value)
        if (new, read) == (name, value):
            return None, {name: value}
        kind = "renamed" if new != name else "replaced"
        note = MigrationNote(kind=kind, flag=name, before=value, flag_after=new, after=read, reason=reason or why)
        return note, {new: read}

    def defaults(self, stated: frozenset[str]) -> list[MigrationNote]:
        """Arguments that nobody states and whose default differs."""
        old, new = self._before.by_name, self._after.by_name
        return [
            MigrationNote(
                kind="default",
                flag=name,
                before=old[name].default,
                flag_after=name,
                after=new[name].default,
                reason=f"vLLM {self._after.version} has another default",
            )
            for name in sorted((old.keys() & new.keys()) - stated)
            if not _same_default(old[name], new[name])
        ]

    def _renamed(self, name: str) -> tuple[str, str]:
        reason = ""
        for row in self._rows:
            if name in self._after.by_name:
                break
            if row.value is None and row.to:
                source, target = (row.flag, row.to) if self._up else (row.to, row.flag)
                name, reason = (target, row.reason) if name == source else (name, reason)
        return name, reason

    def _without_successor(self, name: str, value: Any) -> tuple[MigrationNote, dict[str, Any]]:
        dropped = next((r for r in self._rows if self._up and r.dropped and r.flag == name), None)
        flag = self._before.by_name.get(name)
        off = value is None or (flag is not None and value is False and flag.default is False)
        if not dropped and not off:
            self._after.flag(name)  # refuses, and names the releases that have it
        reason = dropped.reason if dropped else _OFF.format(version=self._after.version)
        return MigrationNote(kind="dropped", flag=name, before=value, flag_after=None, after=None, reason=reason), {}

    def _value(self, name: str, new: str, value: Any) -> tuple[Any, str]:
        """The value as `after` takes it, and why it is another one."""
        reason = ""
        for row in self._rows:
            if self._takes(new, value):
                return value, reason
            source, target = (row.value, row.to) if self._up else (row.to, row.value)
            if row.flag in (name, new) and source is not None and source == value:
                if target is None:
                    raise RequestError(f"vLLM {self._after.version} takes no {new} {value!r}: {row.reason}")
                value, reason = target, row.reason
        self._after.check(new, value)
        return value, reason

    def _takes(self, name: str, value: Any) -> bool:
        try:
            self._after.check(name, value)
        except RequestError:
            return False
        return True


def _same_default(old: Flag, new: Flag) -> bool:
    return bool(old.default == new.default and isinstance(old.default, bool) is isinstance(new.default, bool))


def _pinnable(after: Engine, note: MigrationNote) -> bool:
    """True where the old default can be written down: it is a value, and the new release takes it."""
    if note.before is None:
        return False
    try:
        after.check(note.flag, note.before)
    except RequestError:
        return False
    return True


def _order(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))
