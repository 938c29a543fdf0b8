"""Tensors of a token mixer with heads or latents, by the split that vLLM's layers make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.attention import (
    MLA,
    ChunkedLocal,
    CompressedMLA,
    CrossAttention,
    EncoderOnly,
    FullAttention,
    Indexer,
    LowRank,
    Mixer,
    Parallel,
    SelfAndCross,
    SlidingWindow,
    SparseMLA,
)
from generator.models.dtype import DType
from generator.models.matrix import Matrix, Part, Shard
from generator.planning.weights.states import state_matrices

if TYPE_CHECKING:
    from collections.abc import Iterable

_Heads = FullAttention | SlidingWindow | ChunkedLocal | EncoderOnly | CrossAttention


def mixer_matrices(mixer: Mixer | None, name: str, hidden_size: int) -> tuple[Matrix, ...]:
    """Tensors of one mixer called `name` in a layer `hidden_size` wide, unsharded."""
    return tuple(
        matrix.model_copy(update={"name": f"{name}.{matrix.name}"}) for matrix in _matrices(mixer, hidden_size)
    )


def _matrices(mixer: Mixer | None, hidden_size: int) -> Iterable[Matrix]:
    if mixer is None:
        return ()
    match mixer:
        case Parallel():
            return _side_by_side(mixer, hidden_size)
        case SelfAndCross():
            return (*_heads(mixer.self_attention, hidden_size), *_heads(mixer.cross_attention, hidden_size))
        case MLA():
            held = _latent(mixer, hidden_size)
            return tuple(matrix.model_copy(update={"copies": mixer.per_layer}) for matrix in held)
        case CompressedMLA():
            return _compressed(mixer, hidden_size)
        case FullAttention() | SlidingWindow() | ChunkedLocal() | EncoderOnly() | CrossAttention():
            return _heads(mixer, hidden_size)
        case _:
            return state_matrices(mixer, hidden_size)


def _side_by_side(mixer: Parallel, hidden_size: int) -> Iterable[Matrix]:
    """Both mixers' tensors; attention that layers share lies outside them."""
    attention = () if mixer.shared_attention else _heads(mixer.attention, hidden_size)
    return (*attention, *state_matrices(mixer.state_space, hidden_size))


def _matrix(
    name: str,
    rows: int,
    columns: int,
    shard: Shard = "replicated",
    units: int | None = None,
    *,
    bias: bool = False,
) -> Matrix:
    return Matrix(name=name, rows=rows, columns=columns, shard=shard, units=units, bias=bias, part="attention")


def _plain(name: str, rows: int, columns: int) -> Matrix:
    """A projection that vLLM builds without the quantization config, on every rank."""
    return Matrix(name=name, rows=rows, columns=columns, part="attention", linear=False)


def vector(name: str, rows: int, shard: Shard = "replicated", dtype: DType | None = None) -> Matrix:
    """A norm, a bias or a state of the mixer: `rows` numbers that stay unquantized."""
    part: Part = "attention"
    return Matrix(name=name, rows=rows, shard=shard, dtype=dtype, part=part, linear=False)


def _heads(mixer: _Heads, hidden_size: int) -> tuple[Matrix, ...]:
    """Query, key, value and output projections; KV heads repeat at TP above their count (vLLM linear.py:1051).

    Values that equal the keys are stored once and yet built twice; a layer that reads another's cache has neither
    (vLLM 0.32 model_executor/models/gemma4.py).
    """
    if mixer.low_rank:
        return _latent(_expanded(mixer, mixer.low_rank), hidden_size)
    if mixer.shared_q_dim:
        return _from_shared_query(mixer, hidden_size)
    q, kv = (
        mixer.num_attention_heads,
        0 if mixer.shares_kv_cache and not mixer.runs_again else mixer.num_key_value_heads,
    )
    queries = q * mixer.head_dim * (2 if mixer.output_gate else 1)
    return (
        _matrix("q_proj", queries, hidden_size, "column", q, bias=mixer.qkv_bias),
        *(
            (
                _matrix("k_proj", kv * mixer.head_dim, hidden_size, "column", kv, bias=mixer.qkv_bias),
                _matrix("v_proj", kv * mixer.head_dim_v, hidden_size, "column", kv, bias=mixer.qkv_bias),
            )
            if kv
            else ()
        ),
        _matrix("o_proj", hidden_size, q * mixer.head_dim_v, "row", q, bias=mixer.output_bias),
        *((vector("q_norm", mixer.head_dim), vector("k_norm", mixer.head_dim)) if mixer.qk_norm else ()),
        *((vector("sinks", q, "column"),) if mixer.sinks else ()),
        *_block_indexer(mixer, hidden_size),
    )


def _expanded(mixer: _Heads, low_rank: LowRank) -> MLA:
    """The latent attention whose projections these heads have (vLLM 0.32 model_executor/models/minicpm3.py)."""
    rope = low_rank.qk_rope_head_dim
    return MLA(
        num_attention_heads=mixer.num_attention_heads, q_lora_rank=low_rank.q_lora_rank,
        kv_lora_rank=low_rank.kv_lora_rank, qk_nope_head_dim=mixer.head_dim - rope, qk_rope_head_dim=rope,
        v_head_dim=low_rank.v_head_dim,
    )  # fmt: skip


def _from_shared_query(mixer: _Heads, hidden_size: int) -> tuple[Matrix, ...]:
    """Query, key and value whole on every rank, then the heads' own queries (vLLM 0.32 step3_text.py)."""
    q, shared = mixer.num_attention_heads, mixer.shared_q_dim
    return (
        _matrix("q_proj", shared, hidden_size),
        _matrix("k_proj", mixer.num_key_value_heads * mixer.head_dim, hidden_size),
        _matrix("v_proj", mixer.num_key_value_heads * mixer.head_dim_v, hidden_size),
        vector("inter_norm", shared),
        _matrix("wq", q * mixer.head_dim, shared, "column", q),
        _matrix("o_proj", hidden_size, q * mixer.head_dim_v, "row", q),
    )


def _block_indexer(mixer: _Heads, hidden_size: int) -> tuple[Matrix, ...]:
    """Queries by head and one key that pick blocks, each with a norm (vLLM 0.32 models/minimax_m3/nvidia/model.py)."""
    count, size = mixer.index_heads, mixer.index_head_dim
    if not count:
        return ()
    return (
        _matrix("index_q_proj", count * size, hidden_size, "column", count),
        _matrix("index_k_proj", size, hidden_size),
        vector("index_norms", 2 * size),
    )


def _latent(mixer: MLA, hidden_size: int) -> tuple[Matrix, ...]:
    """Latent attention: the projections down are on every rank, those up are split by head (vLLM layers/mla.py)."""
    heads = mixer.num_attention_heads
    queries = heads * (mixer.qk_nope_head_dim + mixer.qk_rope_head_dim)
    rank = mixer.q_lora_rank
    down = mixer.kv_lora_rank + mixer.qk_rope_head_dim
    up = heads * (mixer.qk_nope_head_dim + mixer.v_head_dim)
    values = heads * mixer.v_head_dim
    return (
        *_queries(rank, queries, hidden_size, heads),
        _matrix("kv_a_proj_with_mqa", down, hidden_size),
        vector("kv_a_layernorm", mixer.kv_lora_rank),
        _matrix("kv_b_proj", up, mixer.kv_lora_rank, "column", heads),
        _matrix("o_proj", hidden_size, values, "row", heads),
        *((_matrix("g_proj", values, hidden_size, "column", heads),) if mixer.output_gate else ()),
        *_indexer(mixer, hidden_size),
    )


def _queries(rank: int | None, queries: int, hidden_size: int, heads: int) -> tuple[Matrix, ...]:
    if rank is None:
        return (_matrix("q_proj", queries, hidden_size, "column", heads),)
    return (
        _matrix("q_a_proj", rank, hidden_size),
        vector("q_a_layernorm", rank),
        _matrix("q_b_proj", queries, rank, "column", heads),
    )


def _indexer(mixer: MLA, hidden_size: int) -> tuple[Matrix, ...]:
    indexer = mixer.indexer if isinstance(mixer, SparseMLA) else None
    if indexer is None:
        return ()
    size, heads = indexer.index_head_dim, indexer.index_n_heads
    return (
        _matrix("indexer.wq_b", heads * size, mixer.q_lora_rank or hidden_size),
        _plain("indexer.wk", size, hidden_size),
        _plain("indexer.weights_proj", heads, hidden_size),
        vector("indexer.k_norm", 2 * size, dtype=DType.F32),
    )


def _compressed(mixer: CompressedMLA, hidden_size: int) -> tuple[Matrix, ...]:
    """DeepSeek-V4: low-rank queries and outputs, one key-value latent, compressors where a ratio asks for them."""
    heads, size = mixer.num_attention_heads, mixer.head_dim
    return (
        _matrix("wq_a", mixer.q_lora_rank, hidden_size),
        _matrix("wq_b", heads * size, mixer.q_lora_rank, "column", heads),
        _matrix("wkv", size, hidden_size),
        _matrix("wo_a", mixer.o_groups * mixer.o_lora_rank, heads * size // mixer.o_groups, "column"),
        _matrix("wo_b", hidden_size, mixer.o_groups * mixer.o_lora_rank, "row"),
        vector("q_norm", mixer.q_lora_rank),
        vector("kv_norm", size),
        vector("attn_sink", heads, dtype=DType.F32),
        *_compressor("compressor", size, mixer.compress_ratio, hidden_size),
        *_compressed_indexer(mixer.indexer, mixer, hidden_size),
    )


def _compressor(name: str, size: int, ratio: int, hidden_size: int) -> tuple[Matrix, ...]:
    """Projections that pool `ratio` tokens into one latent; a ratio of 4 overlaps two windows."""
    if not ratio:
        return ()
    width = size * (2 if ratio == _OVERLAPPED else 1)
    return (
        _plain(f"{name}.wkv", width, hidden_size),
        _plain(f"{name}.wgate", width, hidden_size),
        vector(f"{name}.ape", ratio * width, dtype=DType.F32),
        vector(f"{name}.norm", size),
    )


_OVERLAPPED = 4


def _compressed_indexer(indexer: Indexer | None, mixer: CompressedMLA, hidden_size: int) -> tuple[Matrix, ...]:
    if indexer is None:
        return ()
    size, heads = indexer.index_head_dim, indexer.index_n_heads
    return (
        _matrix("indexer.wq_b", heads * size, mixer.q_lora_rank),
        _plain("indexer.weights_proj", heads, hidden_size),
        *_compressor("indexer.compressor", size, mixer.compress_ratio, hidden_size),
    )
