"""What the fields of a config.json hold by the configuration classes of Transformers (config_fields.toml)."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from generator.catalogue.loader import Row, Source, Words, packaged_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

Held = Literal["flag", "number", "word", "list", "mapping"]


class FieldsRow(Row):
    """One row of `config_fields.toml`, whose head says what the columns are."""

    name: Held
    fields: Words
    source: Source


@cache
def held_by_fields() -> Mapping[str, Held]:
    """What each field holds, by its name in config.json."""
    rows = packaged_rows("config_fields.toml", "fields", FieldsRow)
    return MappingProxyType({field: row.name for row in rows for field in row.fields})
