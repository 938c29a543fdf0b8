"""Numbers that vLLM's arguments take, whatever the release."""

from __future__ import annotations

from functools import cache

from pydantic import Field

from generator.catalogue.loader import Row, Source, packaged_rows
from generator.models.number_range import NumberRange


class RangeRow(Row):
    """One row of `ranges.toml`, whose head says what the columns are."""

    name: str = Field(min_length=1)
    least: float | int | None = None
    above: float | int | None = None
    most: float | int | None = None
    below: float | int | None = None
    whole: bool = False
    source: Source


@cache
def ranges() -> dict[str, NumberRange]:
    """The numbers that an argument takes, or a key of one, by its name (`limit_mm_per_prompt.*`)."""
    found = packaged_rows("ranges.toml", "range", RangeRow)
    return {row.name: NumberRange.of_row(row) for row in found}
