"""prices.toml: every price is sourced and dated, and names a GPU of the table."""

from __future__ import annotations

from datetime import date

import pytest

from generator.catalogue.gpu_table import all_gpus
from generator.catalogue.prices import all_prices

PRICES = all_prices()


@pytest.mark.parametrize("price", PRICES, ids=[f"{price.gpu} {price.provider} {price.offer}" for price in PRICES])
def test_a_price_is_sourced_dated_and_of_a_known_gpu(price):
    assert price.gpu in {gpu.name for gpu in all_gpus()}
    assert "github:" in price.source
    assert date(2026, 1, 1) <= date.fromisoformat(price.read_on)
    assert 0.05 < price.usd_per_gpu_hour < 20
