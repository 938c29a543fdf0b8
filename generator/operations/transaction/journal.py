"""The note of one update inside git's own directory, with both contents of every file: written before all else."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from generator.models.value import Value
from generator.operations.transaction import files
from generator.rendering.git import git

_FORMAT: Literal[2] = 2


class JournalEntry(Value):
    """One update of a deployment: what it replaces and by what, and how far it is."""

    format: Literal[2] = _FORMAT
    id: str
    """Part of the names that files have on their way; nobody else's start so."""
    command: str
    head: str
    """The commit that it started from."""
    writing: bool
    """True from before the first file until after the last."""
    before: dict[str, str | None]
    """Mark of each file until then; None: there was none."""
    after: dict[str, str | None]
    unstaged: str
    """The index entries of these files until then, for `git update-index -z --index-info`."""
    staged: str = ""
    """And afterwards; empty where they stay as they are."""
    kept: tuple[str, ...] = ()
    """Files that somebody else changed meanwhile: theirs stay."""

    @property
    def names(self) -> tuple[str, ...]:
        """The files that the update wrote."""
        return tuple(name for name in self.before if name not in self.kept)

    def stays(self, name: str) -> bool:
        """True where git alone is told something new of a file."""
        return self.before[name] == self.after[name]

    def aside(self, place: Path, name: str) -> Path:
        """Where a file lies on its way in or out."""
        return (place / name).parent / f".{self.id}-{self.number(name)}"

    def number(self, name: str) -> int:
        """The file's number, under which its contents are kept."""
        return sorted(self.before).index(name)

    def content(self, place: Path, side: Literal["before", "after"], name: str) -> Path | None:
        """The kept content of a file on one side; None where there was nothing."""
        known = self.before if side == "before" else self.after
        return None if known[name] is None else folder_of(place) / side / str(self.number(name))


def write(place: Path, entry: JournalEntry, sources: Mapping[str, Path | None]) -> None:
    """Note an update that is about to begin, with the contents from the tree and from `sources`."""
    folder = folder_of(place)
    shutil.rmtree(folder, ignore_errors=True)
    for side in ("before", "after"):
        (folder / side).mkdir(parents=True)
    for name, source in sources.items():
        for side, path in (("before", place / name), ("after", source)):
            known = entry.before if side == "before" else entry.after
            if path is not None and known[name] is not None:
                files.copy(path, folder / side / str(entry.number(name)))
    save(place, entry)


def save(place: Path, entry: JournalEntry) -> None:
    """Write the note in one step, so that a reader meets the old or the new one."""
    path = folder_of(place) / "journal.json"
    new = path.with_suffix(".new")
    with new.open("w", encoding="utf-8") as file:
        file.write(entry.model_dump_json())
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def last(place: Path) -> JournalEntry | None:
    """The last update of `place`; None where none is noted, or the note cannot be read."""
    try:
        return JournalEntry.model_validate_json((folder_of(place) / "journal.json").read_text(encoding="utf-8"))
    except (OSError, ValidationError, ValueError):
        return None


def forget(place: Path) -> None:
    """Drop the note."""
    with suppress(OSError):
        shutil.rmtree(folder_of(place))


def head_of(place: Path) -> str:
    """The commit that is checked out at `place`."""
    return git("rev-parse", "HEAD", at=place).strip()


def folder_of(place: Path) -> Path:
    """The directory of the deployment's note, inside the git directory of its working tree."""
    words = ("rev-parse", "--show-prefix", "--git-path", "vllm-wizard")
    prefix, _, found = git(*words, at=place).rstrip("\n").partition("\n")
    key = hashlib.sha256(json.dumps([prefix]).encode()).hexdigest()[:16]
    return place / found / key
