"""What an encoder's profile takes of each rank."""

from __future__ import annotations

import pytest

from generator.catalogue.models import embedded_model
from generator.models.parallelism import Layout
from generator.planning.memory import encoder
from tests.replicas import replica_of

HYBRID = embedded_model("Qwen/Qwen3.5-27B").architecture
"""An encoder of width 1,152 whose 65,536 patches make 16,384 tokens."""
WIDTH = 65536 * 1152 * 2


@pytest.mark.parametrize(("ranks", "held"), [(1, 14), (2, 9.5), (4, 7.25), (8, 6.125)])
def test_ranks_share_the_heads_and_each_holds_the_rest(ranks, held):
    """Nine of fourteen widths are of heads, five are whole; no share of the feed-forward is more."""
    replica = replica_of(HYBRID, Layout(tensor_parallel_size=ranks))
    assert encoder.block_bytes(replica) == pytest.approx(held * WIDTH)


@pytest.mark.parametrize("known", [{"encoders_whole": True}, {"release": "0.19.1"}])
def test_a_rank_holds_all_where_encoders_are_whole_or_gathered(known):
    """`mm_encoder_tp_mode: data` keeps an input on one rank; a release before 0.20 may gather the heads."""
    replica = replica_of(HYBRID, Layout(tensor_parallel_size=2), **known)
    assert encoder.block_bytes(replica) == 14 * WIDTH


def test_a_class_that_gathers_its_encoders_heads_shares_nothing():
    """GLM-4.1V and Qwen2-VL still gather queries, keys and values of all ranks."""
    other = HYBRID.model_copy(update={"architecture": "Glm4vForConditionalGeneration"})
    assert encoder.block_bytes(replica_of(other, Layout(tensor_parallel_size=2))) == 14 * WIDTH
