"""The indexer of sparse latent attention: a small attention of its own that picks what the large one reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.speed import KVRead

if TYPE_CHECKING:
    from generator.models.attention import Indexer

_SCALE_BYTES = 4


def indexer_reads(indexer: Indexer, ratio: int) -> KVRead:
    """The indexer scores every earlier token from an FP8 key with a scale, whole on every rank."""
    return KVRead(
        bytes_per_token=(indexer.index_head_dim + _SCALE_BYTES) / ratio,
        flops_per_pair=2 * indexer.index_n_heads * indexer.index_head_dim / ratio,
    )
