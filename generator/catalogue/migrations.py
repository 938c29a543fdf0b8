"""Words that a vLLM release no longer has, and what to write instead: `migrations.toml`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from generator.catalogue.loader import Row, Source, packaged_rows
from generator.models.migration import MigrationRow


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
