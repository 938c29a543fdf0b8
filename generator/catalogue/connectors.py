"""KV connectors by release: `connectors.toml`."""

from generator.catalogue.loader import Row, Source, packaged_rows
from generator.models.release import is_between


class ConnectorRow(Row):
    """One row of `connectors.toml`, whose head says what the columns are."""

    name: str
    since: str | None = None
    until: str | None = None
    groups: bool
    source: Source


def connectors(version: str) -> dict[str, bool]:
    """Connectors of release `version` ("0.33.0"), and whether each keeps caches in groups of layers."""
    rows = packaged_rows("connectors.toml", "connector", ConnectorRow)
    return {row.name: row.groups for row in rows if is_between(version, row.since, row.until)}
