"""What vLLM refuses of a mixture's experts: slices that cut a quantization's blocks."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.models.dtype import DType
from generator.models.feed_forward import MoE
from generator.models.release import release_key

if TYPE_CHECKING:
    from generator.models.quantization import Quantization
    from generator.planning.rules.start import Start

_REFINED_SINCE = (0, 29)
"""vLLM 0.29 model_executor/layers/fused_moe/oracle/fp8.py: refine_fp8_moe_block_shape."""
_LEAST_BLOCK = 32


def weight_block(quantization: Quantization | None) -> tuple[int, int] | None:
    """Rows and columns that share a scale in a checkpoint of FP8 blocks (`weight_block_size`); None in others."""
    if quantization is None or quantization.method != "fp8":
        return None
    for rule in quantization.rules:
        form = rule.format
        if form is not None and form.weights == DType.F8_E4M3 and form.scale_rows > 1 and form.scale_columns > 1:
            return form.scale_rows, form.scale_columns
    return None


def blocks_divide(start: Start) -> None:
    """A rank's slice of an expert holds whole blocks of scales, or ones that vLLM can make finer.

    vLLM 0.32 model_executor/layers/quantization/utils/fp8_utils.py: validate_fp8_block_shape_moe.
    """
    layout = start.layout
    if start.weight_block is None or layout.enable_expert_parallel:
        return
    rows, columns = start.weight_block
    ranks = layout.tensor_parallel_size * layout.data_parallel_size
    for kind in start.architecture.layer_kinds:
        block = kind.feed_forward
        if not isinstance(block, MoE):
            continue
        part = block.moe_intermediate_size // ranks
        if part % rows == 0 and (ranks == 1 or part % columns == 0):
            continue
        finer = gcd(rows, columns, part, start.architecture.hidden_size)
        if release_key(start.settings.release) < _REFINED_SINCE or finer < _LEAST_BLOCK:
            raise RequestError(
                f"a rank's {part} of an expert's {block.moe_intermediate_size} channels are not divisible by the "
                f"{rows} of a block of scales; use --enable-expert-parallel or fewer ranks"
            )
