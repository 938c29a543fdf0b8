"""What vLLM logs at start, and why starts end: `boot_lines.toml` and `boot_failures.toml`."""

import re
from functools import cache
from typing import Annotated

from pydantic import Field, field_validator

from generator.catalogue.behaviours import AnyRelease
from generator.catalogue.loader import Row, Source, Words, packaged_rows
from generator.models.release import is_between, release_key

_OLDEST = (0, 8)
"""Builds of one's own call themselves 0.1.devN: nothing follows from such a version."""


def _is_pattern(text: str) -> str:
    re.compile(text)
    return text


class LineRow(Row):
    """One row of `boot_lines.toml`, whose head says what the columns are."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    since: AnyRelease | None = None
    until: AnyRelease | None = None
    anchor: Annotated[str, Field(min_length=1)]
    pattern: str
    level: str = "INFO"
    starts: bool = False
    source: Source

    _pattern = field_validator("pattern")(_is_pattern)

    def is_of(self, version: str | None) -> bool:
        """Whether release `version` logs the line so; every row may be of a release that is not known."""
        if version is None or release_key(version) < _OLDEST:
            return True
        return is_between(version, self.since, self.until)


class FailureRow(Row):
    """One row of `boot_failures.toml`, whose head says what the columns are."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    pattern: str
    says: Annotated[str, Field(min_length=1)]
    advice: str = ""
    levers: Words = ()
    source: Source

    _pattern = field_validator("pattern")(_is_pattern)


@cache
def boot_lines() -> tuple[LineRow, ...]:
    """Every line that a start is read by."""
    return packaged_rows("boot_lines.toml", "line", LineRow)


@cache
def boot_failures() -> tuple[FailureRow, ...]:
    """Every known end of a start, the more particular before the more general."""
    return packaged_rows("boot_failures.toml", "failure", FailureRow)
