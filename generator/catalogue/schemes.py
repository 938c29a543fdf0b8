"""Schemes of compressed-tensors, AutoRound and Quark that a release of vLLM has: `schemes.toml`."""

from generator.catalogue.loader import Row, Source, packaged_rows
from generator.models.release import is_between
from generator.models.scheme import KnownScheme


class SchemeRow(Row, KnownScheme):
    """One row of `schemes.toml`, whose head says what the columns are; of those the scheme's are the value's own."""

    method: str
    name: str
    since: str | None = None
    until: str | None = None
    source: Source


def schemes_of(version: str, method: str) -> tuple[KnownScheme, ...]:
    """The schemes that release `version` ("0.33.0") has of a method, of both neighbours where it was not read."""
    rows = packaged_rows("schemes.toml", "scheme", SchemeRow)
    return tuple(row for row in rows if row.method == method and is_between(version, row.since, row.until))
