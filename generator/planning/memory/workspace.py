"""Scratch memory that sparse attention reserves on a rank before the cache is sized, as vLLM's code has it.

All layers share one buffer, as large as the largest reservation of any (vLLM 0.32 v1/worker/workspace.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.attention import CompressedMLA, SparseMLA
from generator.models.interval import ByteInterval
from generator.units import MIB, ceil_div, round_up

if TYPE_CHECKING:
    from generator.models.architecture import Architecture
    from generator.models.overheads import BudgetSettings
    from generator.models.parallelism import Layout
    from generator.models.release import Release

_LONG, _SHORT_FACTOR, _LONG_FACTOR = 256 * 1024, 5, 2
_ROW = 576
"""Columns of a row: 512 of the latent, 64 rotary (mla/flashmla_sparse.py:768)."""
_HEADS = 64
"""The prefill kernel's least heads (mla/flashmla_sparse.py:763)."""
_GATHERED_PER_LENGTH = _ROW * 2 // 132
"""Rows of the indexer's buffer for each of a reserved length's (mla/indexer.py:915)."""
_CHUNKS = 4
"""Requests of one prefill chunk (0.32 models/deepseek_v4/attention.py:155)."""
_LOGITS = 512 * MIB
"""Scores that the indexer is profiled with (envs.py: VLLM_SPARSE_INDEXER_MAX_LOGITS_MB)."""
_FLASHINFER = {
    "FLASHINFER_MLA_SPARSE": 394 * MIB,
    "FLASHINFER_MLA_SPARSE_SM120": 394 * MIB,
    "FLASHINFER_MLA_SPARSE_SM90": 128 * MIB,
}
"""FlashInfer's own buffer (mla/flashinfer_mla_sparse.py:338, flashinfer_mla_sparse_sm90.py:67)."""

Sparse = SparseMLA | CompressedMLA


def sparse_workspace(
    architecture: Architecture, layout: Layout, settings: BudgetSettings, *, release: Release
) -> ByteInterval:
    """Bytes that stay reserved on a rank: the shared buffer, what the indexer picked, FlashInfer's buffer.

    FlashInfer reserves at the first real batch where the profile skips attention, so the low end is without it.
    """
    mixers = _sparse(architecture)
    if not mixers:
        return ByteInterval.exact(0)
    shared = max(max(_indexer(m, settings, release), _kernel(m, layout, settings, release)) for m in mixers)
    picked = max(m.indexer.index_topk if m.indexer else 0 for m in mixers) * settings.max_num_batched_tokens * 4
    own = max((_FLASHINFER.get(name, 0) for name in settings.attention_backends), default=0)
    return ByteInterval(expected=shared + picked + own, low=shared, high=shared + picked + own + shared // 4)


def indexer_logits(architecture: Architecture) -> int:
    """Bytes of the scores that the forward pass is profiled with where a layer has an indexer."""
    return _LOGITS if any(mixer.indexer for mixer in _sparse(architecture)) else 0


def _sparse(architecture: Architecture) -> tuple[Sparse, ...]:
    return tuple(kind.mixer for kind in architecture.layer_kinds if isinstance(kind.mixer, SparseMLA | CompressedMLA))


def _lengths(settings: BudgetSettings, release: Release) -> int:
    """Context lengths that a prefill may gather."""
    shorter = settings.max_model_len > _LONG and release.has("gathers_two_lengths_beyond_256k")
    return _LONG_FACTOR if shorter else _SHORT_FACTOR


def _indexer(mixer: Sparse, settings: BudgetSettings, release: Release) -> int:
    """The indexer's gathered keys: 8 bits a column and four bytes of scale a row (sparse_attn_indexer.py:289)."""
    if mixer.indexer is None:
        return 0
    rows = settings.max_model_len * _GATHERED_PER_LENGTH * _lengths(settings, release)
    ratio = mixer.compress_ratio if isinstance(mixer, CompressedMLA) else 1
    return rows // max(1, ratio) * (mixer.indexer.index_head_dim + 4)


def _kernel(mixer: Sparse, layout: Layout, settings: BudgetSettings, release: Release) -> int:
    """What the attention kernel reserves."""
    if isinstance(mixer, CompressedMLA):
        return _compressed(mixer, settings)
    if "FLASHMLA_SPARSE" not in settings.attention_backends:
        return 0
    heads = ceil_div(mixer.num_attention_heads, layout.tensor_parallel_size)
    padded = round_up(heads, _HEADS)
    tokens = settings.max_num_batched_tokens
    if settings.kv_cache_dtype not in {"fp8_ds_mla", "nvfp4_ds_mla"}:
        return tokens * padded * _ROW * 2
    columns = heads * _ROW
    if release.has("reserves_padded_sparse_prefill"):
        columns += padded * (_ROW + mixer.kv_lora_rank) + heads * mixer.kv_lora_rank
    return (tokens * columns + settings.max_model_len * _lengths(settings, release) * _ROW) * 2


def _compressed(mixer: CompressedMLA, settings: BudgetSettings) -> int:
    """Gathered latents of four requests, and which ones each token reads (0.32 deepseek_v4/nvidia/flashmla.py:108)."""
    compressed = ceil_div(settings.max_model_len, mixer.compress_ratio) if mixer.compress_ratio > 1 else 0
    rows = compressed + mixer.sliding_window + settings.max_num_batched_tokens
    picked = mixer.indexer.index_topk if mixer.indexer else 0
    read = round_up(picked + mixer.sliding_window, 128)
    return _CHUNKS * rows * mixer.head_dim * 2 + settings.max_num_batched_tokens * (read + 1) * 4
