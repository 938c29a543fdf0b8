"""Bytes of one rank's tensors in the number format that a checkpoint stores them in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.dtype import DType
from generator.units import ceil_div, round_up

if TYPE_CHECKING:
    from generator.models.matrix import Matrix
    from generator.models.quantization import Format
    from generator.planning.weights.sharding import Shape

Bytes = tuple[tuple[DType, int], ...]
"""Bytes by number format."""


def stored_bytes(matrix: Matrix, shape: Shape, form: Format | None, dtype: DType) -> Bytes:
    """Bytes that one rank holds of `matrix`, of which it has `shape`; `dtype` is the model's own."""
    if form is None:
        own = matrix.dtype or dtype
        elements = shape.rows * shape.columns + (shape.rows if matrix.bias else 0)
        return ((own, own.bytes_for(elements) * shape.copies),)
    if form.kernel == "mxfp4":
        shape = _padded(matrix, shape)
    weights = ceil_div(shape.rows * shape.columns * form.bits, 8)
    parts = [(form.weights, weights), *_scales(form, shape, dtype)]
    if matrix.bias:
        parts.append((dtype, dtype.bytes_for(shape.rows)))
    return tuple((own, size * shape.copies) for own, size in parts)


def _scales(form: Format, shape: Shape, dtype: DType) -> list[tuple[DType, int]]:
    """Scales over the grid of the format, with zero points, group numbers and scalars where it has them."""
    grid = _cells(shape.rows, form.scale_rows) * _cells(shape.columns, form.scale_columns)
    scales = dtype if form.scales == "model" else form.scales
    parts = [(scales, scales.bytes_for(grid))]
    if form.zero_points:
        parts.append((DType.I32, ceil_div(grid * form.bits, 8)))
    if form.group_index:
        parts.append((DType.I32, DType.I32.bytes_for(shape.columns)))
    if form.scalars:
        parts.append((DType.F32, DType.F32.bytes_for(form.scalars)))
    return parts


def _cells(size: int, share: int) -> int:
    return ceil_div(size, share) if share else 1


def _padded(matrix: Matrix, shape: Shape) -> Shape:
    """Experts padded as MXFP4 kernels want: intermediate to 128, hidden to 256.

    vLLM 0.32 fused_moe/oracle/mxfp4.py:844-852 (Marlin and TRT-LLM kernels, those of SM90 and SM100).
    """
    inner, outer = 128, 256
    if matrix.shard == "row":
        return shape._replace(rows=round_up(shape.rows, outer), columns=round_up(shape.columns, inner))
    return shape._replace(rows=round_up(shape.rows, inner), columns=round_up(shape.columns, outer))
