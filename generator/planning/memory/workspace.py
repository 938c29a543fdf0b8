"""Scratch memory that sparse attention reserves on a rank before the cache is sized, as vLLM's code has it.

All layers share one buffer, as large as the largest reservation of any (vLLM 0.32 v1/worker/workspace.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.interval import ByteInterval
from generator.planning.kinds.of import attentions_of
from generator.units import MIB

if TYPE_CHECKING:
    from generator.models.architecture import Architecture
    from generator.planning.kinds.kind import Attention
    from generator.planning.replica import Replica

_LOGITS = 512 * MIB
"""Scores that the indexer is profiled with (envs.py: VLLM_SPARSE_INDEXER_MAX_LOGITS_MB)."""
_FLASHINFER = {
    "FLASHINFER_MLA_SPARSE": 394 * MIB,
    "FLASH_ATTN_MLA_SPARSE_FA4": 394 * MIB,
    "FLASHINFER_MLA_SPARSE_SM120": 394 * MIB,
    "FLASHINFER_MLA_SPARSE_SM90": 128 * MIB,
}
"""FlashInfer's own buffer (mla/flashinfer_mla_sparse.py:338, flashinfer_mla_sparse_sm90.py:67)."""


def sparse_workspace(replica: Replica) -> ByteInterval:
    """Bytes that stay reserved on a rank: the shared buffer, what the indexer picked, FlashInfer's buffer.

    FlashInfer reserves at the first real batch where the profile skips attention, so the low end is without it.
    """
    sparse = _sparse(replica.architecture)
    if not sparse:
        return ByteInterval.exact(0)
    backends, tokens = replica.cache.backends, replica.settings.max_num_batched_tokens
    shared = max(one.workspace(replica.context, backends, replica.max_model_len) for one in sparse)
    picked = max(one.indexer.index_topk if one.indexer else 0 for one in sparse) * tokens * 4
    own = max((_FLASHINFER.get(name, 0) for name in backends), default=0)
    return ByteInterval(expected=shared + picked + own, low=shared, high=shared + picked + own + shared // 4)


def indexer_logits(architecture: Architecture) -> int:
    """Bytes of the scores that the forward pass is profiled with where a layer has an indexer."""
    return _LOGITS if any(one.indexer for one in _sparse(architecture)) else 0


def _sparse(architecture: Architecture) -> tuple[Attention, ...]:
    return tuple(one for one in attentions_of(architecture) if one.sparse)
