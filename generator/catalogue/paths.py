"""Arguments of vLLM whose values are paths: `path_kinds()`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from generator.catalogue.loader import Row, Source, packaged_rows

PathKind = Literal["file", "loose", "written", "none"]


class PathRow(Row):
    """One argument and how its value is read as a path."""

    name: str = Field(min_length=1)
    kind: PathKind
    source: Source


def path_kinds() -> dict[str, PathKind]:
    """How each argument of `paths.toml` names a path; any other does where it begins with a slash."""
    return {row.name: row.kind for row in packaged_rows("paths.toml", "argument", PathRow)}
