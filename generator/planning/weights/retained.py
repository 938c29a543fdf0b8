"""What a kernel keeps beside the weights that it was given: second copies that repacking leaves on the GPU."""

from functools import lru_cache

from generator.models.architecture import Architecture
from generator.models.capability import HOPPER, Capability
from generator.models.feed_forward import MoE
from generator.models.matrix import Matrix
from generator.models.parallelism import Layout
from generator.models.quantization import Quantization
from generator.planning.weights.expansion import modules
from generator.planning.weights.formats import stored_formats
from generator.planning.weights.sharding import rank_shape
from generator.units import ceil_div, round_up

_UNPACKED = 2
"""Bytes of one value of an unpacked copy."""
_ROWS, _SCALES = 256, 2
"""What Triton's layout for Hopper rounds the scales' rows and columns up to (triton_kernels hopper_scale.py)."""
_BLOCK = 32
"""Values of one scale."""
_METHODS = frozenset({"mxfp4", "gpt_oss_mxfp4"})


def retained_bytes(
    architecture: Architecture,
    quantization: Quantization | None,
    layout: Layout,
    capability: Capability,
    *,
    triton: bool = True,
) -> int:
    """Bytes of a rank, of the average stage, that stay beside its parameters after loading.

    `triton`: whether the release comes with Triton's kernels for MXFP4.
    """
    if quantization is None:
        return 0
    total = _absorbed(architecture, quantization, layout)
    if triton and quantization.method in _METHODS and capability.family == HOPPER:
        total += _scales_twice(architecture, layout)
    return ceil_div(total, layout.pipeline_parallel_size)


def _absorbed(architecture: Architecture, quantization: Quantization, layout: Layout) -> int:
    """Latent attention multiplies by `kv_b_proj` in 16 bits, so a quantized one is kept beside its unpacked copy.

    vLLM 0.32 model_executor/layers/attention/mla_attention.py (process_weights_after_loading): W_UK_T and W_UV.
    """
    total = 0
    for matrix, layers in _packed_projections(architecture, quantization):
        shape = rank_shape(matrix, layout)
        total += layers * shape.rows * shape.columns * shape.copies * _UNPACKED
    return total


@lru_cache(maxsize=64)
def _packed_projections(architecture: Architecture, quantization: Quantization) -> tuple[tuple[Matrix, int], ...]:
    """Quantized `kv_b_proj` matrices, each with the layers that hold it."""
    return tuple(
        (module.matrix, len(stored.layers))
        for module in modules(architecture)
        if module.name.endswith(".kv_b_proj")
        for stored in stored_formats(module, quantization)
        if stored.form is not None
    )


def _scales_twice(architecture: Architecture, layout: Layout) -> int:
    """Triton's MXFP4 experts, which vLLM takes on Hopper, read scales in a layout of their own.

    vLLM drops the stored values and keeps the stored scales, and widens the biases to 32 bits (0.19.1
    fused_moe/oracle/mxfp4.py:721).
    """
    return sum(
        run.count * _copied(architecture.hidden_size, block, layout)
        for run in architecture.runs
        if isinstance(block := architecture.layer_kinds[run.kind].feed_forward, MoE)
    )


def _copied(hidden_size: int, block: MoE, layout: Layout) -> int:
    """Scales and widened biases of one layer's experts on a rank."""
    experts = ceil_div(block.num_experts, layout.expert_parallel_size)
    shards = layout.expert_slices
    inner = round_up(ceil_div(block.moe_intermediate_size, shards), 2 * _BLOCK)
    up = inner * (2 if block.gated else 1)
    scales = _padded(up, hidden_size) + _padded(hidden_size, inner)
    return experts * (scales + (up + hidden_size) * 2)


def _padded(rows: int, columns: int) -> int:
    return round_up(rows, _ROWS) * round_up(ceil_div(columns, _BLOCK), _SCALES)
