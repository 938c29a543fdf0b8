"""A linked working tree beside the deployment's own: work is done there, and only its result is brought back."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from generator.rendering.git import git

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

IDENTITY = ("-c", "user.name=vllm-wizard", "-c", "user.email=vllm-wizard@localhost", "-c", "commit.gpgSign=false")


@contextmanager
def worktree(place: Path, commit: str) -> Iterator[Path]:
    """The deployment of `place` as of `commit`, in a working tree that is gone afterwards; no branch moves."""
    prefix = git("rev-parse", "--show-prefix", at=place).rstrip("\n")
    with TemporaryDirectory(prefix="vllm-wizard-") as folder:
        tree = Path(folder) / "tree"
        git("worktree", "add", "--quiet", "--detach", str(tree), commit, at=place)
        try:
            yield tree / prefix
        finally:
            git("worktree", "remove", "--force", str(tree), at=place, accept=(0, 128))
            git("worktree", "prune", at=place)


def save(place: Path, message: str) -> str:
    """Commit everything in the working tree of `place`; the commit's id. Only for a tree of `worktree`."""
    git("add", "--all", "--force", "--", ".", at=place)
    git(*IDENTITY, "commit", "--quiet", "--no-verify", "--allow-empty", "--message", message, at=place)
    return git("rev-parse", "HEAD", at=place).strip()


def bring_back(scratch: Path, place: Path, names: Iterable[str]) -> None:
    """Make `names` in `place`, working tree and index, what they are in `scratch`; conflicts stay conflicts."""
    for name in names:
        source, target = scratch / name, place / name
        if source.is_file() or source.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
        else:
            target.unlink(missing_ok=True)
        _bring_stages(scratch, place, name)


def _bring_stages(scratch: Path, place: Path, name: str) -> None:
    """The index entries of one file: three stages where it is in conflict."""
    listing = git("ls-files", "--unmerged", "--full-name", "-z", "--", name, at=scratch).split("\0")[:-1]
    full = git("rev-parse", "--show-prefix", at=place).rstrip("\n") + name
    git("update-index", "--force-remove", "--", name, at=place)
    if listing:
        entries = "".join(f"{line.partition(chr(9))[0]}\t{full}\0" for line in listing)
        git("update-index", "-z", "--index-info", at=place, stdin=entries)
    elif (place / name).exists():
        git("add", "--force", "--", name, at=place)
