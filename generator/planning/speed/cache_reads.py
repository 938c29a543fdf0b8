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
    SelfAndCross,
    ShortConv,
    SlidingWindow,
    SparseMLA,
)
from generator.models.speed import KVRead
from generator.planning.kinds.unknown import unknown_kind
from generator.planning.kv_cache.states import state_mixer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from generator.models.attention import Indexer, Mixer
    from generator.models.parallelism import Layout
    from generator.planning.kv_cache.states import StateMixer

Softmax = FullAttention | SlidingWindow | ChunkedLocal | EncoderOnly | CrossAttention
_FLOAT32_BYTES = 4
_INDEXER_SCALE_BYTES = 4


def cache_reads(mixer: Mixer, *, tensor_parallel_size: int, kv_bytes: float) -> Iterator[KVRead]:
    """What one layer reads of its cache for one sequence; `kv_bytes` is the size of one cached element."""
    match mixer:
        case Parallel():
            yield from cache_reads(mixer.attention, tensor_parallel_size=tensor_parallel_size, kv_bytes=kv_bytes)
        case SelfAndCross():
            yield _softmax(mixer.self_attention, tensor_parallel_size, kv_bytes)
            yield _softmax(mixer.cross_attention, tensor_parallel_size, kv_bytes)
        case CompressedMLA():
            yield from _compressed(mixer, tensor_parallel_size, kv_bytes)
        case MLA():
            yield from _latent(mixer, tensor_parallel_size, kv_bytes)
        case FullAttention() | SlidingWindow() | ChunkedLocal() | EncoderOnly() | CrossAttention():
            yield _softmax(mixer, tensor_parallel_size, kv_bytes)
        case Mamba1() | Mamba2() | GatedDeltaNet() | KimiDeltaAttention() | LinearAttention() | ShortConv():
            return
        case _:
            raise unknown_kind(mixer, "what a step reads")


def exchanged(mixer: Mixer, layout: Layout, dtype_bytes: int) -> tuple[int, float]:
    """Messages of one layer among the ranks that share caches, and what they bring to a rank for one token, in bytes.

    Queries and log-sum-exps are gathered over the group, outputs scattered back to their heads (vLLM 0.32
    v1/attention/backends/flash_attn.py:1511, model_executor/layers/attention/mla_attention.py:1100); the log-sum-exps
    are FP32, one a head, and every rank has those of all heads of the group.
    """
    match mixer:
        case Parallel():
            return exchanged(mixer.attention, layout, dtype_bytes)
        case SelfAndCross():
            return exchanged(mixer.self_attention, layout, dtype_bytes)
        case MLA():
            width = 2 * mixer.kv_lora_rank + mixer.qk_rope_head_dim
        case FullAttention() | SlidingWindow() | ChunkedLocal() | EncoderOnly() | CrossAttention():
            width = mixer.head_dim + mixer.head_dim_v
        case Mamba1() | Mamba2() | GatedDeltaNet() | KimiDeltaAttention() | LinearAttention() | ShortConv():
            return 0, 0.0
        case CompressedMLA():  # its window lets no ranks share it
            return 0, 0.0
        case _:
            raise unknown_kind(mixer, "what ranks exchange")
    heads = mixer.num_attention_heads / layout.tensor_parallel_size
    dcp = layout.decode_context_parallel_size
    return 3, (dcp - 1) * heads * (width * dtype_bytes + dcp * _FLOAT32_BYTES)


def state_bytes(mixer: Mixer, *, tensor_parallel_size: int, dtype_bytes: float) -> float:
    """Bytes of recurrent state of one sequence on one rank, read and written back in each step."""
    state = state_mixer(mixer)
    if state is None:
        return 0.0
    wide = isinstance(state, LinearAttention) or getattr(state, "state_dtype", None) == "float32"
    return 2 * _elements(state) * (_FLOAT32_BYTES if wide else dtype_bytes) / tensor_parallel_size


def _elements(mixer: StateMixer) -> int:
    """Numbers of one layer's recurrent state; of a convolution alone none, as it keeps kilobytes."""
    match mixer:
        case GatedDeltaNet():
            return mixer.num_v_heads * mixer.head_k_dim * mixer.head_v_dim
        case Mamba2():
            return mixer.num_heads * mixer.head_dim * mixer.state_size
        case Mamba1():
            return mixer.intermediate_size * mixer.state_size
        case KimiDeltaAttention() | LinearAttention():
            return mixer.num_heads * mixer.head_dim**2
        case ShortConv():
            return 0
        case _:
            raise unknown_kind(mixer, "what state a step reads")


def _softmax(mixer: Softmax, tensor_parallel_size: int, kv_bytes: float) -> KVRead:
    window: int | None
    match mixer:
        case SlidingWindow():
            window = mixer.sliding_window
        case ChunkedLocal():
            window = mixer.attention_chunk_size
        case CrossAttention():
            window = mixer.encoder_tokens
        case FullAttention() | EncoderOnly():
            window = None
        case _:
            raise unknown_kind(mixer, "how far it attends")
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
