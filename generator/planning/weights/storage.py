"""Bytes of one rank's tensors in the number format that a checkpoint stores them in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.dtype import DType
from generator.units import ceil_div

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
    weights = ceil_div(shape.rows * shape.columns * form.bits, 8)
    parts = [(form.weights, weights), *_scales(form, shape, dtype)]
    if matrix.bias or (form.expert_bias and matrix.experts):
        parts.append((dtype, dtype.bytes_for(shape.rows)))
    return tuple((own, size * shape.copies) for own, size in parts)


def _scales(form: Format, shape: Shape, dtype: DType) -> list[tuple[DType, int]]:
    """Scales over the grid of the format, with zero points, group numbers and scalars where it has them."""
    grid = _cells(shape, form)
    scales = dtype if form.scales == "model" else form.scales
    parts = [(scales, scales.bytes_for(grid))]
    if form.zero_points:
        parts.append((DType.I32, ceil_div(grid * form.bits, 8)))
    if form.group_index:
        parts.append((DType.I32, DType.I32.bytes_for(shape.columns)))
    if form.scalars:
        parts.append((DType.F32, DType.F32.bytes_for(form.scalars)))
    return parts


def _cells(shape: Shape, form: Format) -> int:
    """Scales of the grid: blocks that are cut off count whole, groups along a row that are cut off do not."""
    rows, columns = form.scale_rows, form.scale_columns
    down = ceil_div(shape.rows, rows) if rows else 1
    if not columns:
        return down
    return down * (shape.columns // columns if rows == 1 else ceil_div(shape.columns, columns))
