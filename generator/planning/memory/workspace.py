"""Scratch memory of a rank: what sparse attention reserves before the cache is sized, and buffers of routed experts.

All layers share one buffer, as large as the largest reservation of any (vLLM 0.32 v1/worker/workspace.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.architecture import Architecture
from generator.models.feed_forward import MoE
from generator.models.interval import ByteInterval
from generator.models.parallelism import Layout
from generator.planning.kinds.of import attentions_of
from generator.units import MIB, ceil_div

if TYPE_CHECKING:
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


_OWN_BUFFERS = frozenset({"mxfp4", "nvfp4"})
"""Formats whose usual kernels ask for next to none (0.20.2 fused_moe/flashinfer_cutlass_moe.py:235,
experts/trtllm_mxfp4_moe.py:275); the others a release may take ask for all of it."""


def expert_workspace(replica: Replica) -> ByteInterval:
    """Bytes of both workspaces of the widest layer at `max_num_batched_tokens` tokens.

    vLLM 0.19.1 fused_moe.py: TritonExperts.workspace_shapes.
    """
    model = replica.architecture
    blocks = [layer.feed_forward for layer in model.layer_kinds if isinstance(layer.feed_forward, MoE)]
    widest = max((token_elements(model.hidden_size, block, replica.layout) for block in blocks), default=0)
    taken = replica.settings.max_num_batched_tokens * widest * replica.dtype_bytes
    if replica.expert_kernel in _OWN_BUFFERS:
        return ByteInterval(expected=0, low=0, high=taken)
    return ByteInterval.exact(taken)


def token_elements(hidden_size: int, block: MoE, layout: Layout) -> int:
    """Elements a token, a row for each of its experts.

    One buffer is as wide as the wider of gate-and-up projection and output, the other as wide as the wider of
    activation and output.
    """
    shards = layout.expert_slices
    inner = ceil_div(block.moe_intermediate_size, shards)
    up = inner * (2 if block.gated else 1)
    return block.num_experts_per_tok * (max(up, hidden_size) + max(inner, hidden_size))
