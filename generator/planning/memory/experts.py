"""Buffers of the routed experts on one rank: two workspaces that every layer shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.feed_forward import MoE
from generator.models.interval import ByteInterval
from generator.units import ceil_div

if TYPE_CHECKING:
    from generator.models.parallelism import Layout
    from generator.planning.replica import Replica

_OWN_BUFFERS = frozenset({"mxfp4", "nvfp4"})
"""Formats whose usual kernels ask for next to none (0.20.2 fused_moe/flashinfer_cutlass_moe.py:235,
experts/trtllm_mxfp4_moe.py:275); the others a release may take ask for all of it."""


def workspace(replica: Replica) -> ByteInterval:
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
    shards = 1 if layout.enable_expert_parallel else layout.tensor_parallel_size * layout.data_parallel_size
    inner = ceil_div(block.moe_intermediate_size, shards)
    up = inner * (2 if block.gated else 1)
    return block.num_experts_per_tok * (max(up, hidden_size) + max(inner, hidden_size))
