"""Experts that ranks of a release may exchange while serving: `moved_experts.toml`."""

from generator.catalogue.loader import Row, Source, Words, packaged_rows
from generator.models.release import is_between


class MovedRow(Row):
    """One row of `moved_experts.toml`, whose head says what the columns are."""

    ways: Words
    since: str | None = None
    until: str | None = None
    kernels: Words = ()
    source: Source


def moved_experts(version: str) -> dict[str, tuple[str, ...]]:
    """Ways to store experts that release `version` ("0.33.0") moves ("fp8 *"), each with the kernels; none for all."""
    rows = packaged_rows("moved_experts.toml", "moved", MovedRow)
    return {way: row.kernels for row in rows if is_between(version, row.since, row.until) for way in row.ways}
