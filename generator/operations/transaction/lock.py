"""locked(): one update a working tree at a time; linked working trees have each their own."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from generator.errors import RenderError
from generator.operations.transaction.journal import folder_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME = "lock"


@contextmanager
def locked(place: Path, command: str) -> Iterator[None]:
    """Hold the working tree around `place`; the kernel lets go of it with the process, whatever ends that.

    Raises:
        RenderError: another process holds it, or git's own directory cannot be written.
    """
    path = folder_of(place).parent / _NAME
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
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise RenderError(f"an update is under way here{_holder(path)}: wait for its end, and try again") from error


def _holder(path: Path) -> str:
    """Who holds the lock and since when, as far as it is written there."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        return f" (`vllm-wizard {held['command']}`, process {held['pid']}, since {held['since']})"
    except (OSError, ValueError, LookupError, TypeError):
        return ""
