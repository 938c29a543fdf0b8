"""Kinds of token mixer, before sharding: one frozen class a kind, by the names of vLLM's cache specs.

A kind states shapes only. What it costs on one rank is `generator.planning.kv_cache`'s (cache) and
`generator.planning.weights`'s (parameters) to say.
"""

from typing import Annotated, Literal

from pydantic import Field

from generator.models.value import Value


class LowRank(Value):
    """Low-rank projections to ordinary heads, whose keys and values are expanded before they are cached (MiniCPM3)."""

    q_lora_rank: int
    kv_lora_rank: int
    qk_rope_head_dim: int
    v_head_dim: int
    """Size of a head's values before they are padded to that of its keys."""


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
    k_eq_v: bool = False
    """True where the values are the keys' projection, so that no value projection is stored (Gemma 4)."""
    shares_kv_cache: bool = False
    """True where the layer reads the cache of an earlier layer and keeps none (Gemma 3n, Gemma 4)."""
    runs_again: bool = False
    """True where the layer runs an earlier layer's weights and holds none of its own (IQuest LoopCoder)."""
    loop_windows: tuple[int, ...] = ()
    """Windows of the caches that the layer's later runs fill, beside the one that its first run does."""
    alibi: bool = False
    """True where positions enter as ALiBi slopes, which some attention backends lack."""
    index_heads: int = 0
    """Heads that pick the blocks of keys to attend to, with a cache of their own (MiniMax-M3); 0 for none."""
    index_head_dim: int = 0
    low_rank: LowRank | None = None
    """Ranks of the projections where they are not from the layer's width straight to the heads; None for plain ones."""
    shared_q_dim: int = 0
    """Width of one query projection that all heads start from, whole on every rank as keys and values are (Step-3)."""


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


class EncoderOnly(_Heads):
    """Every token attends to every other; nothing is cached (BERT, embedding models)."""

    kind: Literal["encoder_only"] = "encoder_only"


class CrossAttention(_Heads):
    """Decoder tokens attend to `encoder_tokens` states of an encoder, cached once a request (Whisper)."""

    kind: Literal["cross"] = "cross"
    encoder_tokens: int


class MLA(Value):
    """Multi-head latent attention: one latent of `kv_lora_rank + qk_rope_head_dim` a token (DeepSeek-V2)."""

    kind: Literal["mla"] = "mla"
    num_attention_heads: int
    q_lora_rank: int | None
    kv_lora_rank: int
    qk_nope_head_dim: int
    qk_rope_head_dim: int
    v_head_dim: int
    output_gate: bool = False
    """True where a projection of `num_attention_heads * v_head_dim` gates the output (Kimi-K3)."""
    per_layer: int = 1
    """Attention blocks of this shape in one decoder layer: 2 in LongCat-Flash."""


class Indexer(Value):
    """The small attention that picks `index_topk` tokens for a sparse layer; it keeps a cache of its own."""

    index_n_heads: int
    index_head_dim: int
    index_topk: int


class SparseMLA(MLA):
    """MLA over the tokens that an indexer picked (DeepSeek-V3.2, GLM-5); None reuses an earlier layer's."""

    kind: Literal["sparse_mla"] = "sparse_mla"  # type: ignore[assignment]
    indexer: Indexer | None


class CompressedMLA(Value):
    """Attention over a sliding window of latents and, with a ratio, over compressed ones (DeepSeek-V4).

    `compress_ratio` tokens make one stored latent: 0 keeps the window alone, 4 adds an indexer.
    """

    kind: Literal["compressed_mla"] = "compressed_mla"
    num_attention_heads: int
    head_dim: int
    qk_rope_head_dim: int
    q_lora_rank: int
    o_lora_rank: int
    o_groups: int
    sliding_window: int
    compress_ratio: int
    indexer: Indexer | None = None


class Mamba1(Value):
    """Selective state space: one state of `intermediate_size x state_size` a request (Jamba)."""

    kind: Literal["mamba1"] = "mamba1"
    intermediate_size: int
    state_size: int
    conv_kernel: int
    time_step_rank: int
    conv_bias: bool = True
    bias: bool = False
    inner_norms: bool = False
    """True where dt, B and C are normalised (Jamba)."""
    state_dtype: str | None = None
    """Dtype that config.json asks for the recurrent state, None to follow the model's."""


class Mamba2(Value):
    """State space with heads: one state of `num_heads x head_dim x state_size` a request (Nemotron-H)."""

    kind: Literal["mamba2"] = "mamba2"
    num_heads: int
    head_dim: int
    n_groups: int
    state_size: int
    conv_kernel: int
    conv_bias: bool = True
    bias: bool = False
    state_dtype: str | None = None

    @property
    def intermediate_size(self) -> int:
        """Channels of the inner stream."""
        return self.num_heads * self.head_dim


class GatedDeltaNet(Value):
    """Gated delta rule: one state of `num_v_heads x head_v_dim x head_k_dim` a request (Qwen3-Next)."""

    kind: Literal["gated_delta_net"] = "gated_delta_net"
    num_k_heads: int
    num_v_heads: int
    head_k_dim: int
    head_v_dim: int
    conv_kernel: int
    state_dtype: str | None = None
    named_apart: bool = False
    """True where checkpoints name queries, keys, values and gate apart, and A has the model's dtype (OLMo Hybrid)."""


class KimiDeltaAttention(Value):
    """Kimi delta attention: one state of `num_heads x head_dim x head_dim` a request (Kimi-Linear)."""

    kind: Literal["kimi_delta_attention"] = "kimi_delta_attention"
    num_heads: int
    head_dim: int
    conv_kernel: int
    gate_lower_bound: float | None = None
    """Bound of the decay gate; fast kernels ask for one."""
    full_rank_gate: bool = False
    """True where the output gate is one full projection instead of a low-rank pair (Kimi-K3)."""
    full_rank_decay: bool = False
    """True where the decay's projection is a full one too (Ling 3)."""
    state_dtype: str | None = None


class LinearAttention(Value):
    """Lightning attention: one state of `num_heads x head_dim x head_dim` a request (MiniMax-Text-01)."""

    kind: Literal["linear_attention"] = "linear_attention"
    num_heads: int
    head_dim: int


class ShortConv(Value):
    """Gated short convolution over `conv_dim` channels (LFM2)."""

    kind: Literal["short_conv"] = "short_conv"
    conv_dim: int
    conv_kernel: int
    bias: bool = False


class Parallel(Value):
    """Two mixers that read the same input side by side, each with its own cache (Falcon-H1)."""

    kind: Literal["parallel"] = "parallel"
    attention: FullAttention
    state_space: Mamba2
    shared_attention: bool = False
    """True where layers share the attention's weights, which then lie outside them (Zamba2); each keeps its cache."""


class SelfAndCross(Value):
    """A decoder layer's self-attention, then its attention to an encoder (Whisper)."""

    kind: Literal["self_and_cross"] = "self_and_cross"
    self_attention: FullAttention
    cross_attention: CrossAttention


Mixer = Annotated[
    FullAttention
    | SlidingWindow
    | ChunkedLocal
    | EncoderOnly
    | CrossAttention
    | MLA
    | SparseMLA
    | CompressedMLA
    | Mamba1
    | Mamba2
    | GatedDeltaNet
    | KimiDeltaAttention
    | LinearAttention
    | ShortConv
    | Parallel
    | SelfAndCross,
    Field(discriminator="kind"),
]
"""The union of every kind; an unknown kind is an error, never full attention."""

Mixers = tuple[Mixer | None, ...]
"""One mixer a layer, in order; None for a layer that has none."""
