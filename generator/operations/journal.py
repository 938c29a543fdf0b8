"""What the last update wrote and nobody committed yet, noted inside .git: so that it can be taken back."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from generator.models.value import Value
from generator.rendering.git import git

if TYPE_CHECKING:
    from generator.models.update import Changes


class Entry(Value):
    """One update: the commit that it started from, and a digest of each file that it left (None: deleted)."""

    head: str
    files: dict[str, str | None]


def note(place: Path, files: Changes) -> None:
    """Note what an update left in the tree of `place`."""
    names = (*files.added, *files.changed, *files.deleted, *files.conflicts)
    entry = Entry(head=_head(place), files={name: digest(place / name) for name in names})
    path = _path(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(entry.model_dump_json(), encoding="utf-8")


def last(place: Path) -> Entry | None:
    """The last update of `place`, if HEAD is still where it started."""
    try:
        entry = Entry.model_validate_json(_path(place).read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None
    return entry if entry.head == _head(place) else None


def forget(place: Path) -> None:
    """Drop the note."""
    _path(place).unlink(missing_ok=True)


def digest(path: Path) -> str | None:
    """SHA-256 of a file; None where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _head(place: Path) -> str:
    return git("rev-parse", "HEAD", at=place).strip()


def _path(place: Path) -> Path:
    prefix = git("rev-parse", "--show-prefix", at=place).rstrip("\n")
    name = json.dumps([prefix])
    key = hashlib.sha256(name.encode()).hexdigest()[:16]
    return place / Path(git("rev-parse", "--git-path", f"vllm-wizard/{key}.json", at=place).rstrip("\n"))
