"""A copy of the project to carry changes out in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
_PARTS = (
    "generator", "tests", "templates", ".github", "docs", "copier.yml", "pyproject.toml", "README.md", "CHANGELOG.md",
)  # fmt: skip
_LEFT_OUT = shutil.ignore_patterns("golden", "accuracy")


class Copy:
    """The project in a directory of its own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        for name in _PARTS:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, place / name, ignore=_LEFT_OUT)
            else:
                shutil.copy2(ROOT / name, place / name)

    def change(self, name: str, edit: Callable[[str], str]) -> None:
        """Write what `edit` makes of the file's text, which is empty where there is no such file yet."""
        path = self.place / name
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        after = edit(before)
        assert after != before, f"nothing was changed in {name}"
        path.write_text(after, encoding="utf-8")

    def restore(self, name: str) -> None:
        """The file as it is in the project."""
        (self.place / name).unlink()
        if (ROOT / name).exists():
            shutil.copy2(ROOT / name, self.place / name)

    def changed(self) -> set[str]:
        """Names of the files that are not the project's."""
        found = {path for path in self.place.rglob("*") if path.is_file() and path.suffix != ".pyc"}
        names = {path.relative_to(self.place).as_posix(): path for path in found}
        return {name for name, path in names.items() if not _same(path, ROOT / name)}

    def run(self, *words: str) -> tuple[bool, str]:
        """Whether Python ended well, and all that it printed."""
        env = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
        env |= {"PYTHONPATH": os.pathsep.join(map(str, (self.place, self.place / "tests")))}
        command = [sys.executable, *words]
        done = subprocess.run(command, cwd=self.place, env=env, capture_output=True, text=True, check=False)
        return done.returncode == 0, done.stdout + done.stderr


def _same(one: Path, other: Path) -> bool:
    return other.exists() and one.read_bytes() == other.read_bytes()
