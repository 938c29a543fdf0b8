"""Arguments that a release removed, and what to write instead: `successors.toml`."""

from __future__ import annotations

from functools import cache
from typing import Annotated

from pydantic import Field

from generator.catalogue.loader import Row, Source, packaged_rows
from generator.models.successor import Successor


class SuccessorRow(Row):
    """One row of `successors.toml`, whose head says what the columns are."""

    flag: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    last: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    instead: Annotated[str, Field(min_length=1)]
    values: dict[str, str] = Field(default_factory=dict)
    source: Source


@cache
def successors() -> dict[str, Successor]:
    """What became of each argument that some release removed, by its name."""
    listed = packaged_rows("successors.toml", "successor", SuccessorRow)
    return {one.flag: Successor(last=one.last, instead=one.instead, values=one.values) for one in listed}
