"""Starts of our own search, which no coefficient is fitted to: what a stranger's start may expect."""

from __future__ import annotations

import pytest

from tests.accuracy.bootlogs import Scored, scores
from tests.accuracy.startup_rows import ADDED


@pytest.fixture(scope="module")
def planned() -> dict[str, Scored]:
    found, left_out = scores(ADDED, None)
    assert not left_out
    return {one.case.id: one for one in found}


def test_nine_of_ten_lie_inside(planned: dict[str, Scored]) -> None:
    ran = [one for one in planned.values() if one.case.ran and one.inside is not None]
    assert len(ran) == 33
    assert sum(bool(one.inside) for one in ran) >= 31


def test_none_that_ran_is_refused_and_none_that_failed_is_planned(planned: dict[str, Scored]) -> None:
    for one in planned.values():
        assert (one.verdict != "does_not_fit") == one.case.ran, one.case.id


def test_early_outputs_of_an_encoder_are_kept_for_the_whole_budget(planned: dict[str, Scored]) -> None:
    """Qwen3-VL with a budget of 153,600 tokens: 2.31 GiB of cache on four 3090s, about 3.9 of activations (G013)."""
    memory = planned["G013"].memory
    assert memory.activation_peak_bytes.expected / 2**30 == pytest.approx(3.9, rel=0.05)
    assert memory.kv_cache_available_bytes.expected / 2**30 == pytest.approx(2.31, rel=0.1)


def test_ranks_share_what_an_encoder_computes(planned: dict[str, Scored]) -> None:
    """Qwen3.8-27B on two RTX 5090s logs a peak of 1.59 GiB (T260); whole on every rank it would be 2.34."""
    assert planned["T260"].memory.activation_peak_bytes.expected / 2**30 == pytest.approx(1.59, rel=0.02)
