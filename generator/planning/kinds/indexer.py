"""The indexer of sparse latent attention: a small attention of its own that picks what the large one reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.attention import Indexer
from generator.models.backend import Backend
from generator.models.speed import KVRead
from generator.planning.kv_cache.packing import packed
from generator.planning.kv_cache.specs import MLAAttentionSpec

if TYPE_CHECKING:
    from generator.planning.kv_cache.context import Blocks, Context
    from generator.planning.kv_cache.specs import KVCacheSpec

INDEXER = Backend(name="DEEPSEEK_V32_INDEXER", block_sizes=(64,), mla=True, sparse=True)
_LONG, _SHORT_FACTOR, _LONG_FACTOR = 256 * 1024, 5, 2
LATENT_ROW = 576
"""Columns of a gathered latent: 512 of the latent, 64 rotary (mla/flashmla_sparse.py:768)."""
_KEYS_PER_ROW = LATENT_ROW * 2 // 132
"""Keys of the indexer's buffer for each row of latents (mla/indexer.py:915)."""
_SCALE_BYTES = 4
"""Bytes of the float32 scale of each 128 FP8 numbers of a key."""


def indexer_spec(indexer: Indexer, ctx: Context, blocks: Blocks) -> KVCacheSpec:
    """The indexer's keys in FP8 with their scales (models/deepseek_v2.py:658)."""
    spec = MLAAttentionSpec(
        block_size=blocks.attention,
        num_kv_heads=1,
        head_size=indexer_key_bytes(indexer),
        dtype="uint8",
        role="indexer",
    )
    return packed(spec, INDEXER, ctx.settings.capability)


def gathered_rows(ctx: Context, longest: int) -> int:
    """Rows of latents that one prefill gathers at most: of two requests of more than 256K tokens, of five others."""
    shorter = longest > _LONG and ctx.settings.release.has("gathers_two_lengths_beyond_256k")
    return longest * (_LONG_FACTOR if shorter else _SHORT_FACTOR)


def gathered_keys(indexer: Indexer, ratio: int, ctx: Context, longest: int) -> int:
    """Bytes of the indexer's gathered keys (sparse_attn_indexer.py:289)."""
    return gathered_rows(ctx, longest) * _KEYS_PER_ROW // max(1, ratio) * indexer_key_bytes(indexer)


def indexer_key_bytes(indexer: Indexer) -> int:
    """Bytes of one token's key with its scales."""
    return indexer.index_head_dim + indexer.index_head_dim // 128 * _SCALE_BYTES


def indexer_reads(indexer: Indexer, ratio: int) -> KVRead:
    """The indexer scores every earlier token from an FP8 key with a scale, whole on every rank."""
    return KVRead(
        bytes_per_token=indexer_key_bytes(indexer) / ratio,
        flops_per_pair=2 * indexer.index_n_heads * indexer.index_head_dim / ratio,
    )
