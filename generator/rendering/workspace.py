"""workspace(): a directory for what a command makes on the way; one that a process no longer alive left is cleared."""

import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from generator.errors import SourceError


def is_alive(number: int) -> bool:
    """True where a process with this number runs, whoever's it is."""
    try:
        os.kill(number, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


PREFIX = "vllm-wizard-"
_OWNER = "owner"
"""A file that its process holds locked as long as it lives: the kernel lets go of it, whatever ends the process."""
_UNMARKED_S = 600
"""A directory without the mark is being made, or was when its process died: its name has the process's number, too."""
_MADE_BY = re.compile(r"\.?vllm-wizard-(\d{1,10})-")


@contextmanager
def workspace(near: Path | None = None) -> Iterator[Path]:
    """A directory that is gone afterwards, where Copier's and our own temporary files lie meanwhile.

    With `near` it is a hidden one in that directory, on whose file system its content is to stay, and temporary files
    lie where they did. What dead processes left beside it is removed first.

    Raises:
        SourceError: it cannot be made.
    """
    base, before = Path(near or tempfile.gettempdir()), tempfile.tempdir
    prefix = f".{PREFIX}" if near else PREFIX
    clear(base, prefix)
    try:
        folder = Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=base))
        held = _mark(folder)
    except OSError as error:
        raise SourceError(f"{base} cannot be written: {error.strerror}; name another directory") from error
    try:
        tempfile.tempdir = before if near else str(folder)
        yield folder
    finally:
        tempfile.tempdir = before
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def clear(base: Path, prefix: str = PREFIX) -> None:
    """Remove the workspaces in `base` whose process is gone; those of other users stay."""
    with suppress(OSError):
        for entry in os.scandir(base):
            if entry.name.startswith(prefix) and entry.is_dir(follow_symlinks=False) and is_dead(Path(entry.path)):
                shutil.rmtree(entry.path, ignore_errors=True)


def is_dead(folder: Path) -> bool:
    """True where the process that made this workspace is gone, or the workspace itself is."""
    try:
        found = folder.lstat()
        if found.st_uid != os.getuid():
            return False
        descriptor = os.open(folder / _OWNER, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return not folder.exists() or _is_abandoned(folder)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _is_abandoned(folder: Path) -> bool:
    """True where a directory without the mark will never have one."""
    maker = _MADE_BY.match(folder.name)
    return (maker is not None and not is_alive(int(maker[1]))) or time.time() - folder.lstat().st_mtime > _UNMARKED_S


def _mark(folder: Path) -> int:
    """The descriptor that holds the mark; it is locked before it has its name, so that nobody finds it free."""
    descriptor, name = tempfile.mkstemp(dir=folder)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    Path(name).rename(folder / _OWNER)
    return descriptor
