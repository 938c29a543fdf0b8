"""apply(): bring what a scratch tree holds into the user's, file by file, and only over what was there at the start."""

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from generator.errors import RenderError, SourceError
from generator.operations.transaction import files, index, index_lock, journal
from generator.operations.transaction.journal import JournalEntry
from generator.rendering.answers import ANSWERS_FILE


class FileChange(NamedTuple):
    """One file of an update."""

    name: str
    source: Path | None
    """Its content afterwards; None: the file goes."""
    before: str | None
    """The mark that it must still have."""
    stages: tuple[str, ...] | None = None
    """`mode blob stage` of its index entries afterwards; None: as they are."""


def apply(place: Path, command: str, head: str, changes: Iterable[FileChange]) -> tuple[str, ...]:
    """Apply the changes; names of files that somebody else changed meanwhile, which stay theirs and are conflicts now.

    Raises:
        RenderError: another commit is checked out, or the answers changed: nothing was touched.
        SourceError: the disk is full, or a directory cannot be written: what was written is taken back.
    """
    wanted = {change.name: change for change in changes}
    _refuse_moved(place, head, wanted)
    entry = _noted(place, command, head, wanted)
    try:
        kept = _replaced(place, entry, {name: change.source for name, change in wanted.items()})
        if kept:
            stages = _stages(wanted) | {name: index.conflict(place, name, wanted[name].source) for name in kept}
            entry = entry.model_copy(update={"staged": index.lines(place, stages), "kept": kept})
            journal.save(place, entry)
        index.update(place, entry.staged)
    except OSError as error:
        from generator.operations.transaction.recovery import take_back  # noqa: PLC0415 - it applies, too

        take_back(place, entry)
        raise SourceError(f"{error.filename or place}: {error.strerror}; nothing was changed") from error
    except RenderError as error:
        raise RenderError(
            f"{error}; the files are written, and git does not know of them yet: once it is free,"
            " `vllm-wizard update --continue` ends this, `--undo` takes it back"
        ) from error
    journal.save(place, entry.model_copy(update={"writing": False}))
    return kept


def _replaced(place: Path, entry: JournalEntry, sources: Mapping[str, Path | None]) -> tuple[str, ...]:
    """Put every file in its place; names of those that had changed, before it or while it went."""
    kept = []
    for name, source in sources.items():
        target, aside = place / name, entry.aside(place, name)
        if entry.stays(name) and files.mark(target) == entry.before[name]:
            continue
        if not _reachable(place, target) or not files.put(source, target, entry.before[name], aside):
            kept.append(name)
    for name in sources:
        if name not in kept and files.late(
            entry.aside(place, name), place / name, entry.before[name], entry.after[name]
        ):
            kept.append(name)
    for name, source in sources.items():
        if source is None and name not in kept:
            files.prune((place / name).parent, place)
    return tuple(kept)


def _reachable(place: Path, target: Path) -> bool:
    """True once the directory of a file is there, and no link on the way to it."""
    for folder in reversed([one for one in target.parents if place in one.parents]):
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            return False
        folder.mkdir(exist_ok=True)
    return True


def _refuse_moved(place: Path, head: str, wanted: Mapping[str, FileChange]) -> None:
    now = journal.head_of(place)
    if now != head:
        raise RenderError(
            f"commit {now[:12]} was checked out while this ran, which began at {head[:12]}: nothing was changed; run it"
            " again"
        )
    index_lock.refuse_locked(place)
    answers = wanted.get(ANSWERS_FILE)
    if answers is not None and files.mark(place / ANSWERS_FILE) != answers.before:
        raise RenderError(f"{ANSWERS_FILE} was changed while this ran, and nothing else: look at it, and run it again")


def _stages(wanted: Mapping[str, FileChange]) -> dict[str, tuple[str, ...]]:
    return {name: change.stages for name, change in wanted.items() if change.stages is not None}


def _noted(place: Path, command: str, head: str, wanted: Mapping[str, FileChange]) -> JournalEntry:
    sources = {name: change.source for name, change in wanted.items()}
    entry = JournalEntry(
        id=f"vllm-wizard-{secrets.token_hex(6)}",
        command=command,
        head=head,
        writing=True,
        before={name: change.before for name, change in wanted.items()},
        after={name: None if source is None else files.mark(source) for name, source in sources.items()},
        unstaged=index.entries(place, wanted),
        staged=index.lines(place, _stages(wanted)),
    )
    try:
        journal.write(place, entry, sources)
    except OSError as error:
        journal.forget(place)
        raise SourceError(f"{error.filename or place}: {error.strerror}; nothing was changed") from error
    return entry
