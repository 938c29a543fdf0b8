"""git's own lock of the index, taken by us in a way that a dead process's is known: the next command removes it."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from generator.errors import RenderError
from generator.rendering.git import git

_ATTEMPTS, _PAUSE_S = 30, 0.1
"""Another git command, an editor's say, holds the index for some milliseconds."""
_MARK = "index.mark"


@contextmanager
def held(place: Path) -> Iterator[tuple[Path, Path]]:
    """The index of `place`, locked against every git command, and where its next content may be made.

    Git's lock is a second name of a file of ours: whoever finds one after our death tells it from git's own.

    Raises:
        RenderError: another git command holds it.
    """
    lock, mark = _paths(place)
    mark.write_text("vllm-wizard\n", encoding="utf-8")
    for attempt in range(_ATTEMPTS):
        try:
            os.link(mark, lock)
            break
        except FileExistsError as error:
            if attempt == _ATTEMPTS - 1:
                raise RenderError(_words(lock)) from error
            time.sleep(_PAUSE_S)
    try:
        yield lock.with_suffix(""), mark.with_suffix(".new")
    finally:
        lock.unlink(missing_ok=True)


def refuse_locked(place: Path) -> None:
    """Return only where no other git command holds the index; waits for one that ends soon.

    Raises:
        RenderError: it is held, or was left by one that died.
    """
    lock, _ = _paths(place)
    for _ in range(_ATTEMPTS):
        if not lock.exists():
            return
        time.sleep(_PAUSE_S)
    raise RenderError(f"{_words(lock)}: nothing was changed")


def clear(place: Path) -> None:
    """Remove the lock that a dead process of ours left. Only for the holder of the working tree."""
    lock, mark = _paths(place)
    if lock.exists() and mark.exists() and lock.samefile(mark):
        lock.unlink()


def _words(lock: Path) -> str:
    return f"{lock} is held by another git command, or was left by one that died"


def _paths(place: Path) -> tuple[Path, Path]:
    """Git's lock, and the file of ours that it is a second name of."""
    words = ("rev-parse", "--git-path", "index.lock", "--git-path", "vllm-wizard")
    lock, folder = (place / found for found in git(*words, at=place).splitlines())
    return lock, folder / _MARK
