"""On-demand prices of cloud GPUs; each is dated, and a GPU without a public price has none."""

from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator

from generator.catalogue.loader import Row, Source, packaged_rows
from generator.models.cost import GPUPrice


def _day(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


class PriceRow(Row, GPUPrice):
    """One row of `prices.toml`; the columns are the value's own."""

    read_on: Annotated[str, BeforeValidator(_day)]
    source: Source


def all_prices() -> tuple[GPUPrice, ...]:
    """Every price of the table, in its order."""
    return packaged_rows("prices.toml", "price", PriceRow)
