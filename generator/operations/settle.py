"""settle(): a conflict whose two sides mean the same ends with the new plan's lines."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from generator.errors import GeneratorError
from generator.rendering.git import git
from generator.sources.profile import load_profile

if TYPE_CHECKING:
    from collections.abc import Callable

PROFILE = "profile.yaml"
_SIDES = ("base", "ours", "theirs")


def settle(place: Path, name: str, agrees: Callable[[Path, Path], bool]) -> bool:
    """True where the conflict in `name` was settled: its conflicting lines are the new plan's, all others as merged.

    `agrees` is handed two files: as the user had it, and as it would be.
    """
    stages = git("ls-files", "--unmerged", "-z", "--", name, at=place).split("\0")[:-1]
    blobs = [line.split()[1] for line in stages]
    if len(blobs) != len(_SIDES):
        return False
    with TemporaryDirectory(prefix="vllm-wizard-") as folder:
        base, ours, theirs = sides = [Path(folder) / side for side in _SIDES]
        for side, blob in zip(sides, blobs, strict=True):
            side.write_text(git("cat-file", "blob", blob, at=place), encoding="utf-8")
        merged = Path(folder) / "merged"
        words = ("merge-file", "-p", "--quiet", "--theirs")
        merged.write_text(git(*words, str(ours), str(base), str(theirs), at=place), encoding="utf-8")
        if not agrees(ours, merged):
            return False
        (place / name).write_text(merged.read_text(encoding="utf-8"), encoding="utf-8")
    git("restore", "--staged", "--", name, at=place)
    return True


def settle_profile(place: Path) -> None:
    """End a conflict in profile.yaml where the user's words state what the new plan's do, in another spelling."""
    settle(place, PROFILE, _state_the_same)


def _state_the_same(mine: Path, merged: Path) -> bool:
    try:
        return load_profile(mine).answers == load_profile(merged).answers
    except GeneratorError:
        return False
