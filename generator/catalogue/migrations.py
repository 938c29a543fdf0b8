"""What became of arguments and words that a vLLM release no longer has: `migrations.toml`, `successors.toml`."""

from functools import cache
from typing import Annotated

from pydantic import Field

from generator.catalogue.loader import Row, Source, packaged_rows
from generator.models.migration import MigrationRow, Successor


class _MigrationRow(Row):
    """One row of `migrations.toml`."""

    release: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    flag: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    value: str | bool | int | float | None = None
    to: str | None = None
    dropped: bool = False
    reason: Annotated[str, Field(min_length=1)]
    source: Source


def migrations() -> tuple[MigrationRow, ...]:
    """Every row, oldest release first."""
    listed = packaged_rows("migrations.toml", "migration", _MigrationRow)
    return tuple(map(MigrationRow.of_row, listed))


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
