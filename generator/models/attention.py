"""Kinds of token mixer, before sharding: one frozen class a kind, by the names of vLLM's cache specs.

A kind states shapes only. What it costs on one rank is `generator.planning.kv_cache`'s (cache) and
`generator.planning.weights`'s (parameters) to say.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from generator.models.value import Value


class _Heads(Value):
    """Shape of a softmax attention layer with separate key and value heads."""

    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    head_dim_v: int
    qkv_bias: bool = False
    output_bias: bool = False
    qk_norm: bool = False
    sinks: bool = False
    output_gate: bool = False
    """True where the query projection also yields a gate of its own size (Qwen3-Next)."""


class FullAttention(_Heads):
    """Every token attends to all earlier tokens."""

    kind: Literal["full"] = "full"


class SlidingWindow(_Heads):
    """Every token attends to the last `sliding_window` tokens."""

    kind: Literal["sliding_window"] = "sliding_window"
    sliding_window: int


class ChunkedLocal(_Heads):
    """Every token attends within its own chunk of `attention_chunk_size` tokens (Llama 4)."""

    kind: Literal["chunked_local"] = "chunked_local"
    attention_chunk_size: int


class MLA(Value):
    """Multi-head latent attention: one latent of `kv_lora_rank + qk_rope_head_dim` a token (DeepSeek-V2)."""

    kind: Literal["mla"] = "mla"
    num_attention_heads: int
    q_lora_rank: int | None
    kv_lora_rank: int
    qk_nope_head_dim: int
    qk_rope_head_dim: int
    v_head_dim: int


Mixer = Annotated[FullAttention | SlidingWindow | ChunkedLocal | MLA, Field(discriminator="kind")]
"""The union of every kind; an unknown kind is an error, never full attention."""
