"""prices.toml: every price is sourced and dated, and names a GPU of the table."""

from __future__ import annotations

from datetime import date

import pytest

from generator.catalogue.gpus import all_gpus, find_gpu
from generator.catalogue.prices import all_prices, prices_of

PRICES = all_prices()


@pytest.mark.parametrize("price", PRICES, ids=[f"{price.gpu} {price.provider} {price.offer}" for price in PRICES])
def test_a_price_is_sourced_dated_and_of_a_known_gpu(price):
    assert price.gpu in {gpu.name for gpu in all_gpus()}
    assert "github:" in price.source
    assert date(2026, 1, 1) <= date.fromisoformat(price.read_on)
    assert 0.05 < price.usd_per_gpu_hour < 20


def test_offers_come_cheapest_first():
    offers = prices_of(find_gpu("H100"))
    assert (offers[0].provider, offers[0].usd_per_gpu_hour) == ("RunPod", 2.69)
    assert [offer.usd_per_gpu_hour for offer in offers] == sorted(offer.usd_per_gpu_hour for offer in offers)


def test_a_gpu_without_a_public_price_has_none():
    assert prices_of(find_gpu("A2")) == ()
