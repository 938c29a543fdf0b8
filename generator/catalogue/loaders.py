"""Loaders of weights by release: `loaders.toml`."""

from collections.abc import Mapping
from typing import Literal

from generator.catalogue.loader import Row, Source, Words, packaged_rows
from generator.models.release import is_between
from generator.models.weight_loader import WeightLoader

Held = Literal["flag", "count", "bytes", "any"]


class LoaderRow(Row):
    """One row of `loaders.toml`, whose head says what the columns are."""

    name: str
    formats: Words
    keys: Mapping[str, Held] = {}
    since: str | None = None
    source: Source


def weight_loaders(version: str) -> dict[str, WeightLoader]:
    """Loaders of release `version` ("0.33.0") that refuse what they do not know, by load format."""
    rows = packaged_rows("loaders.toml", "loader", LoaderRow)
    held = (row for row in rows if is_between(version, row.since, None))
    return {name: WeightLoader.of_row(row) for row in held for name in row.formats}
