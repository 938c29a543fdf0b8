"""prices.toml: every price is sourced and dated, and names a GPU of the table."""

from __future__ import annotations

from datetime import date

import pytest

from generator.catalogue.gpu_table import all_gpus
from generator.catalogue.gpus import find_gpu
from generator.catalogue.prices import all_prices
from generator.models.request import Request
from generator.workflow import facts_for, fit_for

PRICES = all_prices()


@pytest.mark.parametrize("price", PRICES, ids=[f"{price.gpu} {price.provider} {price.offer}" for price in PRICES])
def test_a_price_is_sourced_dated_and_of_a_known_gpu(price):
    assert price.gpu in {gpu.name for gpu in all_gpus()}
    assert "github:" in price.source
    assert date(2026, 1, 1) <= date.fromisoformat(price.read_on)
    assert 0.05 < price.usd_per_gpu_hour < 20


def test_a_gpu_has_its_lowest_dated_offer_and_the_median_of_all():
    """Of an L40S, Crusoe's 1.50 and an eighth of CoreWeave's 18.00; of one with no offer, nothing."""
    request = Request(model="Qwen/Qwen3-8B", source="embedded", gpu="any")
    rows = fit_for(request, facts_for(request), gpus=1, kinds=(find_gpu("L40S"), find_gpu("L4")))
    told = [(row.price_per_gpu_hour, row.price_median_per_gpu_hour, row.price_offers) for row in rows]
    assert sorted(told, key=str) == [(1.5, 1.875, 2), (None, None, 0)]
