"""Quantization methods; what they ask of a GPU is `quantizations.toml`'s to say."""

from generator.catalogue.loader import Row, Source, packaged_rows
from generator.models.quantization_method import QuantizationMethod


class QuantizationRow(Row, QuantizationMethod):
    """One row of `quantizations.toml`; the columns are the value's own."""

    source: Source


def all_quantizations() -> tuple[QuantizationMethod, ...]:
    """Every method of the table, in its order."""
    return packaged_rows("quantizations.toml", "quantization", QuantizationRow)
