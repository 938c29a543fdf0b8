"""locked(): one update a working tree at a time; linked working trees have each their own."""

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from generator.errors import RenderError
from generator.operations.transaction.journal import folder_of
from generator.rendering.workspace import is_alive

_NAME = "lock"
_ATTEMPTS, _PAUSE_S = 100, 0.05
"""A git that a dead holder was starting has its descriptor until it runs, which a busy machine puts off."""


@contextmanager
def locked(place: Path, command: str, *, name: str = _NAME) -> Iterator[None]:
    """Hold the working tree around `place`; the kernel lets go of it with the process, whatever ends that.

    Another `name` is another lock: a search holds its own, and each of its updates this one.

    Raises:
        RenderError: another process holds it, or git's own directory cannot be written.
    """
    path = folder_of(place).parent / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise RenderError(
            f"{path.parent} cannot be written ({error.strerror}): no update can be noted there"
        ) from error
    try:
        _take(descriptor, path)
        now = datetime.now(UTC).astimezone()
        held = json.dumps({"pid": os.getpid(), "command": command, "since": f"{now:%H:%M:%S}"}).encode()
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, held, 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path) -> None:
    """Take the lock; waits only for what a holder that is gone has left running."""
    for attempt in range(_ATTEMPTS):
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _holder(path)
            if _is_alive(holder) or attempt == _ATTEMPTS - 1:
                raise RenderError(
                    f"a change is under way here{_words(holder)}: wait for its end, and try again"
                ) from error
        time.sleep(_PAUSE_S)
    return None


def _holder(path: Path) -> dict[str, Any]:
    """Who holds the lock and since when, as far as it is written there."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return held if isinstance(held, dict) else {}


def _words(holder: Mapping[str, Any]) -> str:
    if {"command", "pid", "since"} - holder.keys():
        return ""
    return f" (`vllm-wizard {holder['command']}`, process {holder['pid']}, since {holder['since']})"


def _is_alive(holder: Mapping[str, Any]) -> bool:
    """True where the process that is named runs on this machine."""
    number = holder.get("pid")
    return isinstance(number, int) and is_alive(number)
