"""Which backend serves each kind of layer, and the cache dtype that it leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

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
    Mixer,
    Parallel,
    SelfAndCross,
    ShortConv,
    SlidingWindow,
    SparseMLA,
)
from generator.planning.kinds.unknown import unknown_kind
from generator.planning.kv_cache.backend_rows import Backend
from generator.planning.kv_cache.backends import AttentionQuery, attention_backend
from generator.planning.kv_cache.settings import cache_dtype, is_hybrid, mixers_of, model_dtype

if TYPE_CHECKING:
    from collections.abc import Iterator

    from generator.models.architecture import Architecture
    from generator.models.parallelism import Layout
    from generator.planning.kv_cache.settings import CacheSettings

Softmax = FullAttention | SlidingWindow | ChunkedLocal | CrossAttention
Attention = FullAttention | SlidingWindow | ChunkedLocal | CrossAttention | MLA | SparseMLA | CompressedMLA

INDEXER = Backend(name="DEEPSEEK_V32_INDEXER", block_sizes=(64,), mla=True, sparse=True)
BLOCK_SPARSE = (
    Backend(name="MINIMAX_M3_SPARSE_INDEXER", block_sizes=(128,), sparse=True),
    Backend(name="MINIMAX_M3_SPARSE", block_sizes=(128,), sparse=True),
)
"""Backends of MiniMax-M3's sparse layers and their indexers, in vLLM's order (vLLM 0.32 models/minimax_m3/common)."""

COMPRESSED = (
    Backend(name="DEEPSEEK_SPARSE_SWA", block_multiple=32, mla=True, sparse=True),
    Backend(name="FLASHMLA_SPARSE_DSV4", block_sizes=(256,), mla=True, sparse=True),
    Backend(name="DEEPSEEK_V4_INDEXER", block_sizes=(256,), mla=True, sparse=True),
)
"""Backends of DeepSeek-V4's caches (vLLM 0.32 models/deepseek_v4, v1/attention/backends/mla)."""

_DS_MLA_BACKENDS = frozenset({"FLASHMLA_SPARSE", "FLASHINFER_MLA_SPARSE_SM120"})
_BOUNDARY_LAYERS = 2
"""Layers at each end of a dense model that TurboQuant leaves alone (turboquant/config.py:178)."""


class Context(NamedTuple):
    """What every step needs: the model, its layout, the engine's values, and both dtypes."""

    architecture: Architecture
    layout: Layout
    settings: CacheSettings
    dtype: str
    """The model's computing dtype."""
    kv_cache_dtype: str
    """vLLM's name of the cache dtype, the backend's renaming included."""
    skipped: frozenset[int]
    """Decoder layers whose cache stays in the model's dtype."""

    @property
    def tp(self) -> int:
        """Tensor parallel size."""
        return self.layout.tensor_parallel_size


def context(architecture: Architecture, layout: Layout, settings: CacheSettings) -> Context:
    """The values of one layout, with the cache dtype as the chosen backend stores it."""
    asked = cache_dtype(architecture, settings)
    first = Context(
        architecture,
        layout,
        settings,
        model_dtype(architecture, settings),
        asked,
        _skipped(architecture, asked),
    )
    sparse = [mixer for mixer in mixers_of(architecture) if isinstance(mixer, SparseMLA)]
    if sparse and asked.startswith(("fp8", "nvfp4")):
        backend = attention_backend(query(sparse[0], first))
        if backend.name in _DS_MLA_BACKENDS and asked != "nvfp4_ds_mla":
            return first._replace(kv_cache_dtype="fp8_ds_mla")
    return first


def _skipped(architecture: Architecture, asked: str) -> frozenset[int]:
    """Layers that a packed cache leaves in the model's dtype: the ends of a model without states."""
    if not asked.startswith("turboquant_") or is_hybrid(architecture):
        return frozenset()
    count = architecture.num_hidden_layers
    ends = min(_BOUNDARY_LAYERS, count // 2)
    return frozenset({*range(ends), *range(count - ends, count)})


def attentions(mixer: Mixer) -> Iterator[Attention]:
    """The attention blocks of a mixer that keep tokens, in the order in which vLLM registers them."""
    match mixer:
        case Parallel():
            yield mixer.attention
        case SelfAndCross():
            yield mixer.self_attention
            yield mixer.cross_attention
        case FullAttention() | SlidingWindow() | ChunkedLocal() | CrossAttention():
            if not mixer.shares_kv_cache:
                yield mixer
                yield from _later_runs(mixer)
        case MLA() | CompressedMLA():
            yield mixer
        case EncoderOnly():
            return
        case Mamba1() | Mamba2() | GatedDeltaNet() | KimiDeltaAttention() | LinearAttention() | ShortConv():
            return
        case _:
            raise unknown_kind(mixer, "what tokens it keeps")


def _later_runs(mixer: Softmax) -> Iterator[SlidingWindow]:
    """The windows that later runs of a layer keep beside its own cache (vLLM 0.32 iquest_loopcoder.py:120)."""
    fields = mixer.model_dump(
        exclude={"kind", "sliding_window", "loop_windows", "attention_chunk_size", "encoder_tokens"}
    )
    for window in mixer.loop_windows:
        yield SlidingWindow(**fields, sliding_window=window)


def model_heads(ctx: Context) -> tuple[int, int]:
    """KV heads of one rank and the head size, as vLLM states them for the whole model.

    Layers of several shapes count with their largest (vLLM 0.32 config/model_arch.py: from_layers).
    """
    found = [one for mixer in mixers_of(ctx.architecture) for one in attentions(mixer)]
    latent = next((one for one in found if isinstance(one, MLA)), None)
    if latent is not None:
        return 1, latent.kv_lora_rank + latent.qk_rope_head_dim
    softmax = [one for one in found if not isinstance(one, MLA | CompressedMLA)]
    if not softmax:
        return 1, max((one.head_dim for one in found if isinstance(one, CompressedMLA)), default=0)
    return (
        max(rank_kv_heads(one.num_key_value_heads, ctx.tp) for one in softmax),
        max(one.head_dim for one in softmax),
    )


def rank_kv_heads(total: int, tp: int) -> int:
    """KV heads of one rank: split while they last, then replicated (vLLM 0.32 config/model.py:1650)."""
    return max(1, total // tp)


def query(mixer: Attention, ctx: Context, *, skipped: bool = False) -> AttentionQuery:
    """What one attention block asks of a backend."""
    dtype = "auto" if skipped else ctx.kv_cache_dtype
    common = {
        "capability": ctx.settings.capability,
        "dtype": ctx.dtype,
        "kv_cache_dtype": dtype,
        "block_size": ctx.settings.block_size,
        "dcp": ctx.layout.decode_context_parallel_size > 1,
        "num_heads": max(1, mixer.num_attention_heads // ctx.tp),
    }
    if isinstance(mixer, MLA):
        indexer = mixer.indexer if isinstance(mixer, SparseMLA) else None
        return AttentionQuery.model_validate({
            **common, "num_kv_heads": 1, "mla": True, "sparse": isinstance(mixer, SparseMLA),
            "head_size": mixer.kv_lora_rank + mixer.qk_rope_head_dim,
            "qk_nope_head_dim": mixer.qk_nope_head_dim, "qk_rope_head_dim": mixer.qk_rope_head_dim,
            "kv_lora_rank": mixer.kv_lora_rank, "v_head_dim": mixer.v_head_dim,
            "index_topk": indexer.index_topk if indexer else None,
        })  # fmt: skip
    if isinstance(mixer, CompressedMLA):
        return AttentionQuery.model_validate({**common, "num_kv_heads": 1, "head_size": mixer.head_dim})
    multimodal = ctx.architecture.prefix_lm and not ctx.settings.language_model_only
    local = isinstance(mixer, ChunkedLocal)
    return AttentionQuery.model_validate({
        **common, "num_kv_heads": rank_kv_heads(mixer.num_key_value_heads, ctx.tp), "head_size": mixer.head_dim,
        "sink": mixer.sinks and not local, "sliding_window": isinstance(mixer, SlidingWindow),
        "mm_prefix": multimodal and not local, "softcap": ctx.architecture.attn_logit_softcapping,
    })  # fmt: skip


class Served(NamedTuple):
    """One attention block, what it asks, and the backend that serves it."""

    mixer: Attention
    query: AttentionQuery
    backend: Backend
    skipped: bool


def serve(mixer: Mixer | None, ctx: Context, *, skipped: bool = False) -> tuple[Served, ...]:
    """The attention blocks of one decoder layer that keep tokens, each with its backend."""
    if mixer is None:
        return ()
    asked = ((one, query(one, ctx, skipped=skipped)) for one in attentions(mixer))
    return tuple(Served(one, question, backend_of(one, question), skipped) for one, question in asked)


def backend_of(mixer: Attention, question: AttentionQuery) -> Backend:
    """The backend of one attention block."""
    if isinstance(mixer, FullAttention) and mixer.index_heads:
        return BLOCK_SPARSE[1]
    return COMPRESSED[1] if isinstance(mixer, CompressedMLA) else attention_backend(question)
