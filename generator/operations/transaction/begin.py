"""begin(): a working tree held for one update, and what lay in it at the start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from generator.models.update import Changes
from generator.operations.transaction import files, journal
from generator.operations.transaction.apply import FileChange, apply
from generator.operations.transaction.lock import locked
from generator.operations.transaction.recovery import Recovered, recover
from generator.rendering import repository
from generator.rendering.git import git

if TYPE_CHECKING:
    from generator.operations.transaction.start import Start


@dataclass
class Transaction:
    """One update of one deployment, from the lock on."""

    place: Path
    command: str
    head: str
    recovered: Recovered | None = None
    """What had died here before, and was taken back."""
    kept: tuple[str, ...] = field(default=(), init=False)
    """Files that somebody else changed meanwhile: they are as they were saved, and conflicts now."""

    def bring(self, scratch: Path, found: Changes, start: Start, *, stage: bool = False) -> Changes:
        """Bring the changed files of a scratch tree home; what changed here. With `stage` they are staged, too.

        Raises:
            RenderError: another commit is checked out, or the answers changed: nothing was touched.
            SourceError: they cannot be written.
        """
        names = [*found.added, *found.changed, *found.deleted, *found.conflicts]
        wanted = [name for name in names if not start.is_left(name)]
        changes = [
            FileChange(
                name=name,
                source=start.ended(scratch, self.place, name),
                before=start.expected(name),
                stages=_stages(scratch, name, stage=stage or name in found.added),
            )
            for name in wanted
        ]
        changes = [one for one in changes if one.stages or files.mark(one.source or scratch / one.name) != one.before]
        if not changes:
            return Changes()
        self.kept = apply(self.place, self.command, self.head, changes)
        return _kinds(found, frozenset(one.name for one in changes), frozenset(self.kept))


@contextmanager
def begin(place: Path, command: str) -> Iterator[Transaction]:
    """Hold the working tree of `place`; an update that died there is taken back first.

    Raises:
        RenderError: another update holds it.
    """
    repository.refuse_unborn(place)
    with locked(place, command):
        recovered = recover(place)
        yield Transaction(place, command, journal.head_of(place), recovered)


def _stages(scratch: Path, name: str, *, stage: bool) -> tuple[str, ...] | None:
    """Index entries of a file of the scratch tree: its conflict's, its content's where that is to be staged."""
    words = ("--literal-pathspecs", "ls-files", "--stage", "-z", "--", name)
    held = [row.partition("\t")[0] for row in git(*words, at=scratch).split("\0")[:-1]]
    if any(not row.endswith(" 0") for row in held):
        return tuple(held)
    if not stage:
        return None
    path = scratch / name
    if not path.is_file() and not path.is_symlink():
        return ()
    git("--literal-pathspecs", "add", "--force", "--", name, at=scratch)
    return tuple(row.partition("\t")[0] for row in git(*words, at=scratch).split("\0")[:-1])


def _kinds(found: Changes, brought: frozenset[str], kept: frozenset[str]) -> Changes:
    """The changes that were brought; those that somebody else's save met are conflicts."""
    kinds = {
        kind: tuple(name for name in getattr(found, kind) if name in brought and name not in kept)
        for kind in ("added", "changed", "deleted", "conflicts")
    }
    return Changes(**kinds | {"conflicts": tuple(sorted({*kinds["conflicts"], *kept}))})
