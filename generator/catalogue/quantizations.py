"""Quantization methods by name or alias; what they ask for is `quantizations.toml`'s to say."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache

from pydantic import Field

from generator.catalogue.loader import Row, Source, packaged_rows, table, unique
from generator.errors import UnknownFactError
from generator.models.quantization_method import QuantizationMethod

_FILE = "quantizations.toml"


class QuantizationRow(Row, QuantizationMethod):
    """One row of `quantizations.toml`; the columns are the value's own."""

    minimum_capability: int = Field(ge=0)
    source: Source


def all_quantizations() -> tuple[QuantizationMethod, ...]:
    """Every method of the table, in its order."""
    return packaged_rows(_FILE, "quantization", QuantizationRow)


def find_quantization(name: str) -> QuantizationMethod:
    """The method that vLLM or a config.json calls `name`, without regard to case.

    Raises:
        UnknownFactError: no row has that name; the nearest three are named.
    """
    own = _spellings().get(name.strip().casefold())
    if own is None:
        close = get_close_matches(name.casefold(), _spellings(), n=3, cutoff=0.0)
        raise UnknownFactError(f"unknown quantization {name!r}; nearest: {', '.join(close)}")
    return next(method for method in all_quantizations() if method.name == own)


@cache
def _spellings() -> dict[str, str]:
    words = ((word, row.name) for row in all_quantizations() for word in (row.name, *row.aliases))
    return unique(table(_FILE), words)
