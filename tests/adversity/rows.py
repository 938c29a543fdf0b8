"""Rows of JSON, kept one by one, so that a run goes on where it stopped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def read(file: Path) -> list[dict[str, Any]]:
    """The rows of a file; a line that a killed process left unended is none."""
    found = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def append(file: Path, row: Mapping[str, Any]) -> None:
    """Keep one more row."""
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(row) + "\n")
