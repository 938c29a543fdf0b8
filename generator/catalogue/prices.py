"""On-demand prices of cloud GPUs; each is dated, and a GPU without a public price has none."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator

from generator.catalogue.loader import Row, Source, packaged_rows
from generator.models.price import GPUPrice

if TYPE_CHECKING:
    from generator.models.hardware import GPU


def _day(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


class PriceRow(Row, GPUPrice):
    """One row of `prices.toml`; the columns are the value's own."""

    read_on: Annotated[str, BeforeValidator(_day)]
    source: Source


def all_prices() -> tuple[GPUPrice, ...]:
    """Every price of the table, in its order."""
    return packaged_rows("prices.toml", "price", PriceRow)


def prices_of(gpu: GPU) -> tuple[GPUPrice, ...]:
    """Offers of a GPU, cheapest first; empty where the table has none."""
    offers = (price for price in all_prices() if price.gpu == gpu.name)
    return tuple(sorted(offers, key=lambda price: (price.usd_per_gpu_hour, price.provider, price.offer)))
