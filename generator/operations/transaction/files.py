"""What lies at a path, and how one file takes the place of another without losing what was saved in between."""

import ctypes
import errno
import hashlib
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

_AT_FDCWD = -100
_NOREPLACE, _EXCHANGE = 1, 2
_UNSUPPORTED = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM})
_EXECUTABLE = 0o111


def mark(path: Path) -> str | None:
    """Mode and digest of what lies at a path, as git tells files apart; None where nothing does."""
    try:
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            return f"120000:{hashlib.sha256(os.fsencode(path.readlink())).hexdigest()}"
        if not stat.S_ISREG(found.st_mode):
            return "other:"
        mode = "100755" if found.st_mode & stat.S_IXUSR else "100644"
        return f"{mode}:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    except (FileNotFoundError, NotADirectoryError):
        return None


def content(marked: str | None) -> str:
    """The digest of a mark, whatever the mode; empty for nothing."""
    return (marked or ":").partition(":")[2]


def copy(source: Path, target: Path, like: Path | None = None) -> None:
    """Copy a file or a link to a new path; its permissions are those of `like` where that is as executable."""
    if source.is_symlink():
        target.symlink_to(source.readlink())
        return
    shutil.copyfile(source, target)
    mode = source.stat().st_mode
    old = like.lstat().st_mode if like is not None and like.is_file() and not like.is_symlink() else mode
    same = bool(old & stat.S_IXUSR) == bool(mode & stat.S_IXUSR)
    with suppress(PermissionError):  # a file system without permissions
        target.chmod(stat.S_IMODE(old if same else mode))


def put(source: Path | None, target: Path, expected: str | None, aside: Path) -> bool:
    """True once `target` is what `source` is (None: nothing), which holds only where it was `expected` till then.

    What stood there lies at `aside` afterwards, so that a late write into it can be seen.
    """
    if mark(target) != expected:
        return False
    if source is None:
        target.rename(aside)
        return mark(aside) == expected or _back(aside, target)
    copy(source, aside, like=target)
    if expected is None:
        return _create(aside, target)
    _exchange(aside, target)
    if mark(aside) == expected:
        return True
    _exchange(aside, target)  # saved by somebody between the look and the exchange: theirs again
    aside.unlink(missing_ok=True)
    return False


def late(aside: Path, target: Path, expected: str | None, ours: str | None) -> bool:
    """True where somebody wrote into the old file after it had left its place; theirs stands there again."""
    if mark(aside) in (expected, None):
        aside.unlink(missing_ok=True)
        return False
    if mark(target) == ours:
        aside.replace(target)
        return True
    aside.unlink(missing_ok=True)
    return False


def prune(folder: Path, root: Path) -> None:
    """Remove a directory and those above it, below `root`, that are empty."""
    while folder != root and root in folder.parents:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def _create(aside: Path, target: Path) -> bool:
    try:
        _rename(aside, target, _NOREPLACE)
    except FileExistsError:
        aside.unlink()
        return False
    return True


def _back(aside: Path, target: Path) -> bool:
    """False, once the file is back in its place, where nothing newer has taken that."""
    with suppress(FileExistsError):
        _rename(aside, target, _NOREPLACE)
    return False


def _exchange(one: Path, other: Path) -> None:
    """Let two paths change places, in one step where the system can; a link keeps the old file else."""
    try:
        _rename(one, other, _EXCHANGE)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        third = _third(one)
        other.rename(third)
        one.rename(other)
        third.rename(one)


def end_exchange(one: Path, other: Path) -> None:
    """End an exchange that died between its steps on a system without a single one: backwards, or forwards."""
    third = _third(one)
    if os.path.lexists(third):
        third.rename(one if os.path.lexists(other) else other)


def _third(one: Path) -> Path:
    return one.with_name(f"{one.name}-")


def _rename(old: Path, new: Path, flags: int) -> None:
    """`renameat2` of Linux; without it, the nearest that Python has.

    Raises:
        OSError: the system refuses, or has no such call.
    """
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    number = errno.ENOSYS
    if call is not None:
        if not call(_AT_FDCWD, os.fsencode(old), _AT_FDCWD, os.fsencode(new), flags):
            return
        number = ctypes.get_errno()
    if flags == _NOREPLACE and number in _UNSUPPORTED:
        os.link(old, new, follow_symlinks=False)
        old.unlink()
        return
    raise OSError(number, os.strerror(number), str(old), None, str(new))
