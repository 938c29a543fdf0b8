"""What a kernel keeps beside the weights that it was given: second copies that repacking leaves on the GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.feed_forward import MoE
from generator.units import ceil_div, round_up

if TYPE_CHECKING:
    from generator.models.architecture import Architecture
    from generator.models.parallelism import Layout
    from generator.models.quantization import Quantization

_HOPPER = 9
_ROWS, _SCALES = 256, 2
"""What Triton's layout for Hopper rounds the scales' rows and columns up to (triton_kernels hopper_scale.py)."""
_BLOCK = 32
"""Values of one scale."""
_METHODS = frozenset({"mxfp4", "gpt_oss_mxfp4"})


def retained_bytes(
    architecture: Architecture, quantization: Quantization | None, layout: Layout, capability: int
) -> int:
    """Bytes of a rank that stay beside its parameters after loading.

    Triton's MXFP4 experts, which vLLM takes on Hopper, read scales in a layout of their own; vLLM drops the stored
    values and keeps the stored scales, and widens the biases to 32 bits (0.19.1 fused_moe/oracle/mxfp4.py:721).
    """
    if quantization is None or quantization.method not in _METHODS or capability // 10 != _HOPPER:
        return 0
    total = sum(
        run.count * _copied(architecture.hidden_size, block, layout)
        for run in architecture.runs
        if isinstance(block := architecture.layer_kinds[run.kind].feed_forward, MoE)
    )
    return ceil_div(total, layout.pipeline_parallel_size)


def _copied(hidden_size: int, block: MoE, layout: Layout) -> int:
    """Scales and widened biases of one layer's experts on a rank."""
    experts = ceil_div(block.num_experts, layout.expert_parallel_size)
    shards = 1 if layout.enable_expert_parallel else layout.tensor_parallel_size * layout.data_parallel_size
    inner = round_up(ceil_div(block.moe_intermediate_size, shards), 2 * _BLOCK)
    up = inner * (2 if block.gated else 1)
    scales = _padded(up, hidden_size) + _padded(hidden_size, inner)
    return experts * (scales + (up + hidden_size) * 2)


def _padded(rows: int, columns: int) -> int:
    return round_up(rows, _ROWS) * round_up(ceil_div(columns, _BLOCK), _SCALES)
