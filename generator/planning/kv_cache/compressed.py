"""DeepSeek-V4's caches: a window of latents, compressed latents, the indexer's keys, and compressors' states.

Sizes and alignments are vLLM 0.32 models/deepseek_v4/{attention,compressor}.py and mla/sparse_swa.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import UnsupportedArchitectureError
from generator.planning.kv_cache.specs import KVCacheSpec, MLAAttentionSpec, SlidingWindowMLASpec

if TYPE_CHECKING:
    from generator.models.attention import CompressedMLA

_TOKEN_BYTES = 584
"""A latent in FP8 with its RoPE part in bfloat16 and its scales."""
_PAGE_ALIGNMENT = 576
_WINDOW_BLOCK = 64
_COMPRESSOR_BLOCKS = {4: 4, 128: 8}
"""Tokens of a block of a compressor's states by its ratio, so that their pages match the latents'."""
_OVERLAPPED_RATIO = 4
"""The ratio whose windows overlap by one: its compressor keeps twice the tokens and the channels."""


def compressed_specs(mixer: CompressedMLA, block_size: int) -> list[KVCacheSpec]:
    """Caches of one layer in vLLM's order: indexer and its compressor, window, latents, compressor."""
    ratio = mixer.compress_ratio
    window = SlidingWindowMLASpec(
        block_size=_WINDOW_BLOCK, num_kv_heads=1, head_size=mixer.head_dim, dtype="uint8", quant="fp8",
        state_content_bytes=_TOKEN_BYTES, sliding_window=mixer.sliding_window, cache_dtype="fp8_ds_mla",
        alignment=_PAGE_ALIGNMENT,
    )  # fmt: skip
    if ratio <= 1:
        return [window]
    indexer: list[KVCacheSpec] = []
    if mixer.indexer is not None:
        size = mixer.indexer.index_head_dim
        keys = MLAAttentionSpec(
            block_size=block_size, num_kv_heads=1, head_size=size + size // 128 * 4, dtype="uint8",
            tokens_per_state=ratio, alignment=_PAGE_ALIGNMENT, kernel_block=block_size, role="indexer",
        )  # fmt: skip
        indexer = [keys, _compressor(ratio, size)]
    latents = MLAAttentionSpec(
        block_size=block_size, num_kv_heads=1, head_size=mixer.head_dim, dtype="uint8", quant="fp8",
        state_content_bytes=_TOKEN_BYTES, tokens_per_state=ratio, cache_dtype="fp8_ds_mla",
        alignment=_PAGE_ALIGNMENT, kernel_block=block_size,
    )  # fmt: skip
    return [*indexer, window, latents, _compressor(ratio, mixer.head_dim)]


def _compressor(ratio: int, head_dim: int) -> SlidingWindowMLASpec:
    """Keys and scores of the tokens that a compressor has not yet folded, in float32."""
    if ratio not in _COMPRESSOR_BLOCKS:
        raise UnsupportedArchitectureError(f"compression ratio {ratio} is not one of vLLM's (4, 128)")
    overlap = 2 if ratio == _OVERLAPPED_RATIO else 1
    return SlidingWindowMLASpec(
        block_size=_COMPRESSOR_BLOCKS[ratio], num_kv_heads=1, head_size=2 * overlap * head_dim, dtype="float32",
        sliding_window=overlap * ratio, alignment=_PAGE_ALIGNMENT,
    )  # fmt: skip
