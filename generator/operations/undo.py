"""undo() and recovered(): the last update taken back, whole or half written, where nothing newer is lost by it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from generator.errors import ConflictError, RenderError, RequestError
from generator.models.value import Value
from generator.operations import scratch, transaction
from generator.operations.scratch import worktree
from generator.operations.transaction import journal
from generator.operations.transaction.files import mark
from generator.rendering import repository
from generator.rendering.answers import ANSWERS_FILE, read
from generator.rendering.git import git, isolated
from generator.rendering.workspace import workspace

if TYPE_CHECKING:
    from generator.operations.transaction import Recovered, Transaction
    from generator.operations.transaction.journal import JournalEntry


class Undone(Value):
    """What undoing an update restored."""

    path: Path
    commit: str | None
    """The commit that was taken back, its reverse left uncommitted; None for an update that was not committed."""
    files: tuple[str, ...]
    kept: tuple[str, ...] = ()
    """Files that somebody wrote since: as they are."""
    interrupted: bool = False
    """True where the update had died before its end."""


def undo(root: Path) -> Undone:
    """Return the deployment at `root` to the state before its last update; other edits in the tree stay.

    An uncommitted update is restored from the last commit. A committed one is reversed in the tree, for the user to
    commit.

    Raises:
        RequestError: there is no update to take back.
        RenderError: files were edited since, or later commits build on it: nothing was changed.
    """
    place = root.expanduser().absolute()
    with isolated(), workspace():
        if not (place / ANSWERS_FILE).exists() and not transaction.is_interrupted(place):
            read(place)
        with transaction.begin(place, "update --undo") as taken:
            if taken.recovered is not None:
                return Undone(
                    path=place, commit=None, files=taken.recovered.files, kept=taken.recovered.kept, interrupted=True
                )
            entry = journal.last(place)
            dirty = repository.changes(place)
            named = {*dirty.added, *dirty.changed, *dirty.deleted, *dirty.conflicts}
            if entry is not None and entry.head == taken.head and {*entry.names} & named:
                return _restored(place, entry)
            if dirty.any:
                raise RenderError("the tree has changes that no update made: commit or stash them first")
            return _reversed(taken)


def resume(root: Path) -> Undone:
    """Finish the update at `root` that died while it wrote; what somebody wrote since stays, as a conflict.

    Raises:
        RequestError: no update died there.
        ConflictError: somebody wrote to its files since.
    """
    place = root.expanduser().absolute()
    with isolated(), workspace():
        done = transaction.resume(place)
    if done is None:
        raise RequestError(f"no update died in {place}: there is nothing to continue")
    if done.kept:
        names = ", ".join(done.kept)
        raise ConflictError(f"{names} changed since the update began: resolve and commit them", files=done.kept)
    return Undone(path=place, commit=None, files=done.files, interrupted=True)


def _restored(place: Path, entry: JournalEntry) -> Undone:
    edited = tuple(name for name in entry.names if mark(place / name) != entry.after[name])
    if edited:
        raise RenderError(
            f"{', '.join(edited)} changed since the update: nothing was undone; commit what you keep, or save a copy of"
            " it elsewhere and `git restore` the file"
        )
    transaction.undo(place, entry)
    return Undone(path=place, commit=None, files=tuple(sorted(entry.names)))


def _reversed(taken: Transaction) -> Undone:
    place = taken.place
    commit = git("log", "-1", "--format=%H", "--", ANSWERS_FILE, at=place).strip()
    parents = git("rev-parse", f"{commit}^@", at=place).split()
    if len(parents) != 1 or not git("ls-tree", parents[0], "--", ANSWERS_FILE, at=place):
        what = "a merge" if len(parents) > 1 else "where the deployment began"
        raise RequestError(
            f"commit {commit[:12]} last changed the answers, and it is {what}: there is no update to undo"
        )
    prefix = git("rev-parse", "--show-prefix", at=place).rstrip("\n")
    words = ("apply", "--reverse", "--index", *((f"--directory={prefix}",) if prefix else ()))
    with worktree(place, taken.head) as scratch, workspace() as folder:
        start = transaction.started(place, scratch, repository.left_alone(place))
        patch = str(folder / "update.patch")
        git("diff", "--binary", "--relative", f"--output={patch}", parents[0], commit, "--", ".", at=place)
        try:
            git(*words, patch, at=scratch)
        except RenderError as error:
            raise RenderError(f"later commits build on the update in {commit[:12]}: nothing was undone") from error
        found = repository.changes(scratch)
        left = tuple(name for name in (*found.added, *found.changed, *found.deleted) if start.is_left(name))
        if left:
            raise RenderError(f"{', '.join(left)} has edits that git does not show: nothing was undone")
        files = taken.bring(scratch, found, start, stage=True)
    return Undone(
        path=place,
        commit=commit,
        files=tuple(sorted((*files.added, *files.changed, *files.deleted))),
        kept=files.conflicts,
    )


def recovered(root: Path) -> Recovered | None:
    """The update that had died at `root` and is taken back now; None where none did.

    Raises:
        RenderError: another update is under way there.
    """
    place = root.expanduser().absolute()
    with isolated():
        try:
            if not place.is_dir():
                return None
            if not transaction.is_interrupted(place):
                scratch.clear(place)
                return None
        except RenderError:  # no repository: whoever needs one says so
            return None
        with transaction.begin(place, "recovery") as taken:
            return taken.recovered
