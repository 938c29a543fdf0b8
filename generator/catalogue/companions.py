"""Arguments that vLLM takes only beside others, or not beside others: `companions.toml`."""

from generator.catalogue.loader import Row, Source, Words, packaged_rows
from generator.models.companion import Companion
from generator.models.release import is_between


class CompanionRow(Row):
    """One row of `companions.toml`, whose head says what the columns are."""

    argument: str
    values: Words = ()
    needs: Words = ()
    against: Words = ()
    since: str | None = None
    experts: bool = False
    rocm: bool = False
    source: Source


def companions(version: str) -> dict[str, tuple[Companion, ...]]:
    """What each such argument of release `version` ("0.33.0") asks for, by its name or `argument.key`."""
    rows = packaged_rows("companions.toml", "companion", CompanionRow)
    found: dict[str, tuple[Companion, ...]] = {}
    for row in rows:
        if is_between(version, row.since, None):
            found[row.argument] = (*found.get(row.argument, ()), Companion.of_row(row))
    return found
