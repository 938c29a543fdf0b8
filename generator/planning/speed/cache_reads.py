"""Cache bytes that one sequence makes one rank read in a decode step, by kind of layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.attention import (
    MLA,
    ChunkedLocal,
    CompressedMLA,
    CrossAttention,
    EncoderOnly,
    FullAttention,
    GatedDeltaNet,
    KimiDeltaAttention,
    LinearAttention,
    Mamba1,
    Mamba2,
    Parallel,
    SlidingWindow,
    SparseMLA,
)
from generator.models.speed import KVRead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from generator.models.attention import Indexer, Mixer
    from generator.models.parallelism import Layout

Softmax = FullAttention | SlidingWindow | ChunkedLocal | EncoderOnly | CrossAttention
_FLOAT32_BYTES = 4
_INDEXER_SCALE_BYTES = 4


def cache_reads(mixer: Mixer, *, tensor_parallel_size: int, kv_bytes: float) -> Iterator[KVRead]:
    """What one layer reads of its cache for one sequence; `kv_bytes` is the size of one cached element."""
    if isinstance(mixer, Parallel):
        yield from cache_reads(mixer.attention, tensor_parallel_size=tensor_parallel_size, kv_bytes=kv_bytes)
    elif isinstance(mixer, CompressedMLA):
        yield from _compressed(mixer, tensor_parallel_size, kv_bytes)
    elif isinstance(mixer, MLA):
        yield from _latent(mixer, tensor_parallel_size, kv_bytes)
    elif isinstance(mixer, Softmax):
        yield _softmax(mixer, tensor_parallel_size, kv_bytes)


def exchanged(mixer: Mixer, layout: Layout, dtype_bytes: int) -> tuple[int, float]:
    """Messages of one layer among the ranks that share caches, and what they bring to a rank for one token, in bytes.

    Queries and log-sum-exps are gathered over the group, outputs scattered back to their heads (vLLM 0.32
    v1/attention/backends/flash_attn.py:1511, model_executor/layers/attention/mla_attention.py:1100); the log-sum-exps
    are FP32, one a head, and every rank has those of all heads of the group.
    """
    if isinstance(mixer, Parallel):
        mixer = mixer.attention
    if isinstance(mixer, MLA):
        width = 2 * mixer.kv_lora_rank + mixer.qk_rope_head_dim
    elif isinstance(mixer, Softmax):
        width = mixer.head_dim + mixer.head_dim_v
    else:
        return 0, 0.0
    heads = mixer.num_attention_heads / layout.tensor_parallel_size
    dcp = layout.decode_context_parallel_size
    return 3, (dcp - 1) * heads * (width * dtype_bytes + dcp * _FLOAT32_BYTES)


def state_bytes(mixer: Mixer, *, tensor_parallel_size: int, dtype_bytes: float) -> float:
    """Bytes of recurrent state of one sequence on one rank, read and written back in each step."""
    if isinstance(mixer, Parallel):
        mixer = mixer.state_space
    if isinstance(mixer, GatedDeltaNet):
        elements = mixer.num_v_heads * mixer.head_k_dim * mixer.head_v_dim
    elif isinstance(mixer, Mamba2):
        elements = mixer.num_heads * mixer.head_dim * mixer.state_size
    elif isinstance(mixer, Mamba1):
        elements = mixer.intermediate_size * mixer.state_size
    elif isinstance(mixer, KimiDeltaAttention | LinearAttention):
        elements = mixer.num_heads * mixer.head_dim**2
    else:
        return 0.0
    wide = isinstance(mixer, LinearAttention) or mixer.state_dtype == "float32"
    return 2 * elements * (_FLOAT32_BYTES if wide else dtype_bytes) / tensor_parallel_size


def _softmax(mixer: Softmax, tensor_parallel_size: int, kv_bytes: float) -> KVRead:
    window = None
    if isinstance(mixer, SlidingWindow):
        window = mixer.sliding_window
    elif isinstance(mixer, ChunkedLocal):
        window = mixer.attention_chunk_size
    elif isinstance(mixer, CrossAttention):
        window = mixer.encoder_tokens
    width = mixer.head_dim + mixer.head_dim_v
    both_ways = 2 if isinstance(mixer, EncoderOnly) else 1
    return KVRead(
        window_tokens=window,
        bytes_per_token=max(1, mixer.num_key_value_heads / tensor_parallel_size) * width * kv_bytes,
        flops_per_pair=both_ways * 2 * mixer.num_attention_heads / tensor_parallel_size * width,
    )


def _latent(mixer: MLA, tensor_parallel_size: int, kv_bytes: float) -> Iterator[KVRead]:
    """The latent is whole on every rank; a prompt's pairs cost the expanded heads."""
    heads = mixer.num_attention_heads / tensor_parallel_size
    pairs = 2 * heads * (mixer.qk_nope_head_dim + mixer.qk_rope_head_dim + mixer.v_head_dim)
    indexer = mixer.indexer if isinstance(mixer, SparseMLA) else None
    window = indexer.index_topk if indexer else None
    width = (mixer.kv_lora_rank + mixer.qk_rope_head_dim) * kv_bytes
    yield KVRead(window_tokens=window, bytes_per_token=width, flops_per_pair=pairs)
    if indexer is not None:
        yield _indexed(indexer, 1)


def _compressed(mixer: CompressedMLA, tensor_parallel_size: int, kv_bytes: float) -> Iterator[KVRead]:
    pairs = 4 * mixer.num_attention_heads / tensor_parallel_size * mixer.head_dim
    width = mixer.head_dim * kv_bytes
    yield KVRead(window_tokens=mixer.sliding_window, bytes_per_token=width, flops_per_pair=pairs)
    if mixer.compress_ratio:
        ratio, indexer = mixer.compress_ratio, mixer.indexer
        window = indexer.index_topk * ratio if indexer else None
        yield KVRead(window_tokens=window, bytes_per_token=width / ratio, flops_per_pair=pairs / ratio)
        if indexer is not None:
            yield _indexed(indexer, ratio)


def _indexed(indexer: Indexer, ratio: int) -> KVRead:
    """The indexer scores every earlier token from an FP8 key with a scale, whole on every rank."""
    return KVRead(
        bytes_per_token=(indexer.index_head_dim + _INDEXER_SCALE_BYTES) / ratio,
        flops_per_pair=2 * indexer.index_n_heads * indexer.index_head_dim / ratio,
    )
