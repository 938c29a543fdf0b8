"""What one rank holds of a matrix: rows, columns and copies, as the kernel pads them, and bytes as they are stored.

Padding of experts, of vLLM 0.32: fused_moe/oracle/unquantized.py:384, fused_moe/oracle/mxfp4.py:816,
fused_moe/oracle/fp8.py:290; of 0.33 for ROCm: fused_moe/oracle/mxfp4.py:880. FlashInfer is taken to be usable, as it
is in vLLM's image.
"""

from collections.abc import Mapping
from math import gcd
from typing import NamedTuple

from generator.models.capability import BLACKWELL, HOPPER, Capability
from generator.models.dtype import DType
from generator.models.matrix import Matrix
from generator.models.model_class import ModelClass
from generator.models.parallelism import Layout
from generator.models.quantization import Format
from generator.units import ceil_div, round_up

VOCAB_PADDING = 64
"""Rows that the vocabulary is padded to (vLLM 0.32 layers/vocab_parallel_embedding.py:36)."""


class Shape(NamedTuple):
    """What one rank holds of a matrix: `copies` tensors of `rows x columns`."""

    rows: int
    columns: int
    copies: int


def rank_shape(matrix: Matrix, layout: Layout) -> Shape:
    """The shape that the worst rank of `layout` builds of `matrix`.

    The worst rank is the first: it gets the remainder of experts (vLLM 0.32
    fused_moe/expert_map_manager.py:22). Without expert parallelism the experts' channels are split over the
    data-parallel ranks too (fused_moe/config.py:1109).
    """
    ways = layout.tensor_parallel_size
    if matrix.undivided % ways or (matrix.whole_by_tokens and _splits_tokens(layout)):
        ways = 1
    copies = matrix.copies
    if matrix.experts:
        copies *= ceil_div(matrix.experts, layout.expert_parallel_size)
        ways = 1 if layout.enable_expert_parallel else ways * layout.data_parallel_size
    rows, columns = matrix.rows, matrix.columns
    if matrix.shard == "vocab":
        rows = ceil_div(round_up(rows, VOCAB_PADDING), ways)
    elif matrix.shard == "column":
        rows = _split(rows, ways, matrix.units)
    elif matrix.shard == "row":
        columns = _split(columns, ways, matrix.units)
    return Shape(rows, columns, copies)


def _splits_tokens(layout: Layout) -> bool:
    """Whether experts see a part of the tokens on each rank (vLLM 0.32 config/parallel.py:764)."""
    return layout.enable_expert_parallel and layout.tensor_parallel_size > 1 and layout.data_parallel_size > 1


def _split(size: int, ways: int, units: int | None) -> int:
    """One rank's part of `size` split `ways`; units that are fewer than the ranks are held whole, repeatedly."""
    if units is None:
        return ceil_div(size, ways)
    return size // units * max(1, ceil_div(units, ways))


def stage_layers(num_layers: int, stages: int) -> tuple[tuple[int, int], ...]:
    """First layer and end of each pipeline stage (vLLM 0.32 distributed/utils.py:126).

    Layers that do not divide go one each to the stages before the last, from the back.
    """
    counts = [num_layers // stages] * stages
    for i in range(2, num_layers % stages + 2):
        counts[-i] += 1
    ends = [sum(counts[: i + 1]) for i in range(stages)]
    return tuple((end - count, end) for count, end in zip(counts, ends, strict=True))


def encoders_whole(model_class: ModelClass, fixed: Mapping[str, object]) -> bool:
    """Whether every rank holds the encoders whole: asked for, and known to the class; else they are split anyway."""
    return fixed.get("mm_encoder_tp_mode") == "data" and model_class.whole_encoders


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


_TRTLLM_ACTIVATIONS = frozenset({"silu", "swish", "relu2"})


def padded_shape(
    matrix: Matrix, shape: Shape, form: Format | None, capability: Capability | None, *, triton: bool = True
) -> Shape:
    """The shape that one rank allocates for `matrix`, of which `shape` is its part.

    `triton`: whether vLLM comes with Triton's kernels for MXFP4, in place of which Hopper else takes Marlin's.
    """
    if not matrix.experts or capability is None:
        return shape
    family = capability.family
    if form is None:
        aligned = family == BLACKWELL and matrix.activation in _TRTLLM_ACTIVATIONS
        return _rounded(matrix, shape, 128, 1) if aligned else shape
    if not form.kernel:
        return shape
    if capability.is_rocm:
        return _rounded(matrix, shape, 256, 256)
    if form.kernel == "gpt_oss_mxfp4" and family == HOPPER and triton:
        return _rounded(matrix, shape, 64, 1)
    return _rounded(matrix, shape, 128, 256)


def refined_block(shape: Shape, form: Format) -> Format:
    """The format with the finer grid that vLLM gives expert scales whose blocks a shard cuts."""
    rows, columns = form.scale_rows, form.scale_columns
    if rows <= 1 or columns <= 1 or not (shape.rows % rows or shape.columns % columns):
        return form
    block = gcd(gcd(rows, shape.rows), gcd(columns, shape.columns))
    return form.model_copy(update={"scale_rows": block, "scale_columns": block})


def _rounded(matrix: Matrix, shape: Shape, inner: int, outer: int) -> Shape:
    """Rounded up: the experts' channels to `inner`, the layer's width to `outer`."""
    rows, columns = (outer, inner) if matrix.shard == "row" else (inner, outer)
    return shape._replace(rows=round_up(shape.rows, rows), columns=round_up(shape.columns, columns))
