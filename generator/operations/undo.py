"""undo(): take the last update back, where nothing that somebody wrote since is lost by it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from generator.errors import RenderError, RequestError
from generator.models.value import Value
from generator.operations import journal
from generator.rendering import repository
from generator.rendering.answers import ANSWERS_FILE, read
from generator.rendering.git import git, isolated

if TYPE_CHECKING:
    from generator.operations.journal import Entry


class Undone(Value):
    """What undoing an update restored."""

    path: Path
    commit: str | None
    """The commit that was taken back, its reverse left uncommitted; None for an update that was not committed."""
    files: tuple[str, ...]


def undo(root: Path) -> Undone:
    """Return the deployment at `root` to the state before its last update; other edits in the tree stay.

    An uncommitted update is restored from the last commit. A committed one is reversed in the tree, for the user to
    commit.

    Raises:
        RequestError: there is no update to take back.
        RenderError: files were edited since, or later commits build on it: nothing was changed.
    """
    place = root.expanduser().absolute()
    with isolated():
        if not (place / ANSWERS_FILE).exists():
            read(place)
        entry = journal.last(place)
        dirty = repository.changes(place)
        if entry is not None and {*entry.files} & {*dirty.added, *dirty.changed, *dirty.deleted, *dirty.conflicts}:
            return _restored(place, entry)
        if dirty.any:
            raise RenderError("the tree has changes that no update made: commit or stash them first")
        return _reversed(place)


def _restored(place: Path, entry: Entry) -> Undone:
    edited = tuple(name for name, digest in entry.files.items() if journal.digest(place / name) != digest)
    if edited:
        raise RenderError(f"{', '.join(edited)} changed since the update: nothing was undone; `git restore` them first")
    held = set(git("ls-tree", "-r", "-z", "--name-only", "HEAD", "--", ".", at=place).split("\0"))
    back = [name for name in entry.files if name in held]
    if back:
        git("restore", "--source=HEAD", "--staged", "--worktree", "--", *back, at=place)
    for name in entry.files.keys() - held:
        git("rm", "--quiet", "--cached", "--force", "--ignore-unmatch", "--", name, at=place)
        repository.remove(place / name, place)
    journal.forget(place)
    return Undone(path=place, commit=None, files=tuple(sorted(entry.files)))


def _reversed(place: Path) -> Undone:
    commit = git("log", "-1", "--format=%H", "--", ANSWERS_FILE, at=place).strip()
    parents = git("rev-parse", f"{commit}^@", at=place).split()
    if len(parents) != 1 or not git("ls-tree", parents[0], "--", ANSWERS_FILE, at=place):
        what = "a merge" if len(parents) > 1 else "where the deployment began"
        raise RequestError(
            f"commit {commit[:12]} last changed the answers, and it is {what}: there is no update to undo"
        )
    prefix = git("rev-parse", "--show-prefix", at=place).rstrip("\n")
    words = ("apply", "--reverse", "--index", *((f"--directory={prefix}",) if prefix else ()))
    with TemporaryDirectory(prefix="vllm-wizard-") as scratch:
        patch = str(Path(scratch) / "update.patch")
        git("diff", "--binary", "--relative", f"--output={patch}", parents[0], commit, "--", ".", at=place)
        try:
            git(*words, "--check", patch, at=place)
        except RenderError as error:
            raise RenderError(f"later commits build on the update in {commit[:12]}: nothing was undone") from error
        git(*words, patch, at=place)
    names = git("diff", "--name-only", "--relative", "-z", parents[0], commit, "--", ".", at=place)
    return Undone(path=place, commit=commit, files=tuple(names.split("\0")[:-1]))
