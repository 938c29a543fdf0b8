"""The context that a config class fills in where config.json names none: `context_defaults.toml`."""

from __future__ import annotations

from pydantic import Field

from generator.catalogue.loader import Row, Source, Words, packaged_rows


class ContextRow(Row):
    """One row of `context_defaults.toml`, whose head says what the columns are."""

    tokens: int = Field(ge=1)
    model_types: Words
    source: Source


def context_default(model_type: str) -> int | None:
    """Tokens that the class of a text config's `model_type` fills in; None where it fills in none."""
    rows = packaged_rows("context_defaults.toml", "default", ContextRow)
    return next((row.tokens for row in rows if model_type in row.model_types), None)
