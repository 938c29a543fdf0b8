"""recover(): end an update that died on its way, backwards or forwards; what somebody wrote since stays."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from generator.models.value import Value
from generator.operations import scratch
from generator.operations.transaction import files, index, index_lock, journal
from generator.operations.transaction.lock import locked
from generator.rendering import repository

if TYPE_CHECKING:
    from typing import Literal

    from generator.operations.transaction.journal import JournalEntry


class Recovered(Value):
    """An update that had died, and what became of its files."""

    path: Path
    command: str
    files: tuple[str, ...]
    kept: tuple[str, ...]
    """Files that somebody wrote since: as they are."""


def interrupted(place: Path) -> JournalEntry | None:
    """The update that died while it wrote, if one did and nobody is at it; nothing is changed."""
    found = journal.last(place)
    return found if found is not None and found.writing else None


def recover(place: Path, *, finish: bool = False) -> Recovered | None:
    """End the update that died at `place`: taken back, or with `finish` brought to its end; None where none did.

    Only for the holder of the lock. What dead runs left elsewhere in the repository is removed.
    """
    scratch.clear(place)
    entry = interrupted(place)
    if entry is None:
        return None
    index_lock.clear(place)
    kept = finish_off(place, entry) if finish else take_back(place, entry)
    return Recovered(
        path=place,
        command=entry.command,
        files=tuple(sorted(set(entry.names) - set(kept))),
        kept=kept,
    )


def is_interrupted(place: Path) -> bool:
    """True where an update died while it wrote; nothing is changed, and a place without git has none."""
    return repository.is_in_git(place) and interrupted(place) is not None


def undo(place: Path, entry: JournalEntry) -> None:
    """Take a whole update back; noted first, so that one that dies on its way is taken back by the next command."""
    journal.save(place, entry.model_copy(update={"writing": True}))
    take_back(place, entry)


def resume(place: Path) -> Recovered | None:
    """Finish the update that died at `place`; None where none did.

    Raises:
        RenderError: another update holds the working tree.
    """
    repository.refuse_unborn(place)
    with locked(place, "update --continue"):
        return recover(place, finish=True)


def take_back(place: Path, entry: JournalEntry) -> tuple[str, ...]:
    """Put back what was there before; names of files that somebody wrote since, and that stay so."""
    kept = _moved(place, entry, "before")
    if journal.head_of(place) == entry.head:
        index.update(place, index.without(place, entry.unstaged, kept))
    journal.forget(place)
    return kept


def finish_off(place: Path, entry: JournalEntry) -> tuple[str, ...]:
    """Put there what the update wanted; names of files that somebody wrote since: they are conflicts now."""
    kept = _moved(place, entry, "after")
    stages = {name: index.conflict(place, name, entry.content(place, "after", name)) for name in kept}
    rows = index.without(place, entry.staged, kept) + index.lines(place, stages)
    if journal.head_of(place) == entry.head:
        index.update(place, rows)
    journal.save(place, entry.model_copy(update={"writing": False, "kept": kept, "staged": rows}))
    return kept


def _moved(place: Path, entry: JournalEntry, to: Literal["before", "after"]) -> tuple[str, ...]:
    """Give every file its content of one side; names of files that have neither side's now."""
    kept = []
    for name in entry.names:
        target, aside = place / name, entry.aside(place, name)
        wanted, other = (entry.before, entry.after) if to == "before" else (entry.after, entry.before)
        _settle_aside(target, aside, entry, name)
        now = files.mark(target)
        if now == wanted[name]:
            continue
        if now != other[name]:
            kept.append(name)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if not files.put(entry.content(place, to, name), target, other[name], aside):
            kept.append(name)
        aside.unlink(missing_ok=True)
        if wanted[name] is None:
            files.prune(target.parent, place)
    return tuple(kept)


def _settle_aside(target: Path, aside: Path, entry: JournalEntry, name: str) -> None:
    """Remove a file that was left on its way, unless somebody wrote into it: then it is theirs, and in its place."""
    files.end_exchange(aside, target)
    lying = files.mark(aside)
    if lying is None:
        return
    known = (entry.before[name], entry.after[name])
    exchanged = files.mark(target) == entry.after[name] and not entry.stays(name)
    if exchanged and lying not in known:
        aside.replace(target)  # the file of before the exchange, written late
    else:
        aside.unlink()
