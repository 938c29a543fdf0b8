"""Projections of softmax attention: from the layer's width to heads and back, straight or by way of lower ranks."""

from generator.models.attention import (
    MLA,
    ChunkedLocal,
    CrossAttention,
    EncoderOnly,
    FullAttention,
    LowRank,
    SlidingWindow,
)
from generator.models.matrix import Matrix
from generator.planning.kinds.kind import projection, vector
from generator.planning.kinds.latent import latent_matrices

Softmax = FullAttention | SlidingWindow | ChunkedLocal | EncoderOnly | CrossAttention


def projections(mixer: Softmax, hidden_size: int) -> tuple[Matrix, ...]:
    """Query, key, value and output projections; KV heads repeat at TP above their count (vLLM linear.py:1051)."""
    if mixer.low_rank:
        return latent_matrices(_expanded(mixer, mixer.low_rank), hidden_size)
    if mixer.shared_q_dim:
        return _from_shared_query(mixer, hidden_size)
    return _own_projections(mixer, hidden_size)


def _own_projections(mixer: Softmax, hidden_size: int) -> tuple[Matrix, ...]:
    """Projections from the layer's width to the heads and back.

    Values that equal the keys are stored once and yet built twice; a layer that reads another's cache has neither
    (vLLM 0.32 model_executor/models/gemma4.py).
    """
    q, kv = mixer.num_attention_heads, mixer.num_key_value_heads
    if mixer.shares_kv_cache and not mixer.runs_again:
        kv = 0
    queries = q * mixer.head_dim * (2 if mixer.output_gate else 1)
    return (
        projection("q_proj", queries, hidden_size, "column", q, bias=mixer.qkv_bias),
        *(
            (
                projection("k_proj", kv * mixer.head_dim, hidden_size, "column", kv, bias=mixer.qkv_bias),
                projection("v_proj", kv * mixer.head_dim_v, hidden_size, "column", kv, bias=mixer.qkv_bias),
            )
            if kv
            else ()
        ),
        projection("o_proj", hidden_size, q * mixer.head_dim_v, "row", q, bias=mixer.output_bias),
        *((vector("q_norm", mixer.head_dim), vector("k_norm", mixer.head_dim)) if mixer.qk_norm else ()),
        *((vector("sinks", q, "column"),) if mixer.sinks else ()),
        *_block_indexer(mixer, hidden_size),
    )


def _expanded(mixer: Softmax, low_rank: LowRank) -> MLA:
    """The latent attention whose projections these heads have (vLLM 0.32 model_executor/models/minicpm3.py)."""
    rope = low_rank.qk_rope_head_dim
    return MLA(
        num_attention_heads=mixer.num_attention_heads, q_lora_rank=low_rank.q_lora_rank,
        kv_lora_rank=low_rank.kv_lora_rank, qk_nope_head_dim=mixer.head_dim - rope, qk_rope_head_dim=rope,
        v_head_dim=low_rank.v_head_dim,
    )  # fmt: skip


def _from_shared_query(mixer: Softmax, hidden_size: int) -> tuple[Matrix, ...]:
    """Query, key and value whole on every rank, then the heads' own queries (vLLM 0.32 step3_text.py)."""
    q, shared = mixer.num_attention_heads, mixer.shared_q_dim
    return (
        projection("q_proj", shared, hidden_size),
        projection("k_proj", mixer.num_key_value_heads * mixer.head_dim, hidden_size),
        projection("v_proj", mixer.num_key_value_heads * mixer.head_dim_v, hidden_size),
        vector("inter_norm", shared),
        projection("wq", q * mixer.head_dim, shared, "column", q),
        projection("o_proj", hidden_size, q * mixer.head_dim_v, "row", q),
    )


def _block_indexer(mixer: Softmax, hidden_size: int) -> tuple[Matrix, ...]:
    """Queries by head and one key that pick blocks, each with a norm (vLLM 0.32 models/minimax_m3/nvidia/model.py)."""
    count, size = mixer.index_heads, mixer.index_head_dim
    if not count:
        return ()
    return (
        projection("index_q_proj", count * size, hidden_size, "column", count),
        projection("index_k_proj", size, hidden_size),
        vector("index_norms", 2 * size),
    )
