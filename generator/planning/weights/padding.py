"""Experts' shapes as the kernel wants them: which backend vLLM picks on a GPU, and what it rounds up to.

Reads of vLLM 0.32: fused_moe/oracle/unquantized.py:384, fused_moe/oracle/mxfp4.py:816, fused_moe/oracle/fp8.py:290; of
0.33 for ROCm: fused_moe/oracle/mxfp4.py:880.
FlashInfer is taken to be usable, as it is in vLLM's image.
"""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

from generator.models.capability import BLACKWELL, HOPPER
from generator.units import round_up

if TYPE_CHECKING:
    from generator.models.capability import Capability
    from generator.models.matrix import Matrix
    from generator.models.quantization import Format
    from generator.planning.weights.sharding import Shape

_TRTLLM_ACTIVATIONS = frozenset({"silu", "swish", "relu2"})


def padded_shape(matrix: Matrix, shape: Shape, form: Format | None, capability: Capability | None) -> Shape:
    """The shape that one rank allocates for `matrix`, of which `shape` is its part."""
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
    if form.kernel == "gpt_oss_mxfp4" and family == HOPPER:
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
