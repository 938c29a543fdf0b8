"""What the fields of a config.json hold, and the context where it names none: `config_fields.toml` and its like."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from generator.catalogue.loader import Row, Source, Words, packaged_rows

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


class ContextRow(Row):
    """One row of `context_defaults.toml`, whose head says what the columns are."""

    tokens: int = Field(ge=1)
    model_types: Words
    source: Source


def context_default(model_type: str) -> int | None:
    """Tokens that the class of a text config's `model_type` fills in; None where it fills in none."""
    rows = packaged_rows("context_defaults.toml", "default", ContextRow)
    return next((row.tokens for row in rows if model_type in row.model_types), None)
