"""Arguments that vLLM takes only beside others: `companions.toml`."""

from generator.catalogue.loader import Row, Source, Words, packaged_rows
from generator.models.companion import Companion


class CompanionRow(Row):
    """One row of `companions.toml`, whose head says what the columns are."""

    argument: str
    values: Words = ()
    needs: Words = ()
    experts: bool = False
    rocm: bool = False
    source: Source


def companions() -> dict[str, Companion]:
    """What each such argument asks for, by its name."""
    rows = packaged_rows("companions.toml", "companion", CompanionRow)
    return {row.argument: Companion.of_row(row) for row in rows}
