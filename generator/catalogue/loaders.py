"""Ways to read weights by release (loaders.toml)."""

from pydantic import Field

from generator.catalogue.loader import Row, Source, packaged_rows
from generator.models.release import is_between


class LoaderRow(Row):
    """One row of `loaders.toml`, whose head says what the columns are."""

    name: str = Field(min_length=1)
    since: str | None = None
    until: str | None = None
    source: Source


def load_formats(version: str) -> tuple[str, ...]:
    """Values of `load_format` that release `version` ("0.33.0") reads weights by."""
    rows = packaged_rows("loaders.toml", "loader", LoaderRow)
    return tuple(row.name for row in rows if is_between(version, row.since, row.until))
