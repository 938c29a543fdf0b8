"""What vLLM refuses of quantized matrices: a rank's slice that cuts a group or block of weights with one scale."""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd
from typing import TYPE_CHECKING, NamedTuple

from generator.errors import RequestError, UnevenError
from generator.models.capability import ADA, BLACKWELL
from generator.models.dtype import DType
from generator.models.matrix import Matrix
from generator.models.quantization import Format
from generator.planning.weights.rank import entries
from generator.planning.weights.sharding import rank_shape

if TYPE_CHECKING:
    from generator.planning.replica import Replica
    from generator.planning.weights.sharding import Shape

_LEAST_BLOCK = 32
_SHORT_TILE, _LONG_TILE, _NVFP4_BITS = 64, 128, 4
_EIGHT = 8
_COMPRESSED = "compressed-tensors"
_APART = frozenset({"q_b_proj", "kv_b_proj"})
"""Projections that vLLM merges with no other, so that blocks of outputs must divide too."""


class _Cut(NamedTuple):
    """A matrix whose slice on a rank is no multiple of what shares a scale."""

    name: str
    part: int
    whole: int
    group: int


def scales_divide(start: Replica) -> None:
    """Every slice of a quantized matrix holds whole groups of scales, or, of experts, ones that vLLM makes finer.

    vLLM 0.20.2 to 0.33 layers/quantization: utils/fp8_utils.py (validate_fp8_block_shape), auto_awq.py:819,
    kernels/linear/mixed_precision (every kernel), compressed_tensors_moe_wna16.py:244, online/mxfp8.py.

    Raises:
        UnevenError: one does not.
    """
    cut = next(_cuts(start), None)
    if cut is None:
        return
    raise UnevenError(
        f"a rank's {cut.part:,} of {cut.whole:,} channels of {cut.name} are not divisible by the {cut.group} that "
        "share a quantization scale"
    )


def experts_fill_tiles(start: Replica) -> None:
    """A rank's experts are whole tiles of Marlin's kernels, or the release pads them.

    Marlin multiplies what the GPU has no cores for; 64 by 128 or 128 by 64 (marlin_utils_fp4.py: padded_N).

    Raises:
        UnevenError: they are not, and their weights cannot be repacked.
    """
    for module, stored in entries(start.architecture, start.stored, start.drafts):
        matrix, form = module.matrix, stored.form
        if form is None or form.kernel or not matrix.experts or matrix.shard != "row" or not _on_marlin(start, form):
            continue
        shape = rank_shape(matrix, start.layout)
        tile = _SHORT_TILE if shape.rows % _LONG_TILE == 0 else _LONG_TILE
        if shape.columns % tile:
            raise UnevenError(
                f"a rank's {shape.columns:,} channels of {module.name.replace('{L}.', '')} are not divisible by the "
                f"{tile} of a tile of Marlin's kernels, which vLLM {start.release} does not pad: pin a newer one"
            )


def states_stay_whole(start: Replica) -> None:
    """Matrices with states of bitsandbytes are loaded whole, and experts in four bits alone.

    vLLM 0.20.2 to 0.27.1, the last that has it, model_loader/bitsandbytes_loader.py: _verify_model_compatibility.

    Raises:
        RequestError: tensor parallelism would split them (UnevenError), or experts have eight bits.
    """
    own = start.stored
    if own is None or own.method != "bitsandbytes" or start.quantizes_online:
        return
    if start.layout.tensor_parallel_size > 1:
        raise UnevenError(f"vLLM {start.release} splits no matrix of a bitsandbytes checkpoint")
    if own.bits == _EIGHT and any(module.matrix.experts for module, _ in entries(start.architecture, own, 0)):
        raise RequestError(
            f"vLLM {start.release} loads no experts of bitsandbytes in eight bits: choose a checkpoint of four"
        )


def rotations_stay_whole(start: Replica) -> None:
    """What is rotated while serving is not split (vLLM 0.20.2 to 0.33.0 compressed_tensors/transform/module.py:47).

    Raises:
        UnevenError: tensor parallelism would split it.
    """
    if start.stored is not None and start.stored.rotates and start.layout.tensor_parallel_size > 1:
        raise UnevenError(f"vLLM {start.release} applies the checkpoint's transform_config on whole matrices alone")


def _on_marlin(start: Replica, form: Format) -> bool:
    """Whether experts stored so run in Marlin's kernels, unpadded."""
    own, release = start.settings.capability, start.release
    if form.weights == DType.F8_E4M3:
        return own < ADA and not release.has("marlin_pads_fp8_experts")
    nvfp4 = form.bits == _NVFP4_BITS and form.scales == DType.F8_E4M3
    return nvfp4 and own < BLACKWELL and not release.has("marlin_pads_nvfp4_experts")


def _cuts(start: Replica) -> Iterator[_Cut]:
    """Matrices whose slices vLLM refuses."""
    layout = start.layout
    for module, stored in entries(start.architecture, start.stored, start.drafts):
        matrix, form = module.matrix, stored.form
        if form is None or form.kernel:
            continue
        if start.quantizes_online and form.scale_rows != 1:
            continue  # blocks that are made while loading may be broken
        whole = start.encoders_whole and matrix.part == "vision"
        shape = rank_shape(matrix, layout.model_copy(update={"tensor_parallel_size": 1}) if whole else layout)
        found = _cut_experts(start, matrix, shape, form) if matrix.experts else _cut_linear(start, matrix, shape, form)
        if found is not None:
            yield _Cut(module.name.replace("{L}.", ""), *found)


def _cut_linear(start: Replica, matrix: Matrix, shape: Shape, form: Format) -> tuple[int, int, int] | None:
    """Part, whole and group of a linear layer whose inputs, or blocks of outputs, are cut."""
    counted = shape.columns != matrix.columns or start.quantizes_online or form.scale_rows == 1
    if form.scale_columns and counted and shape.columns % form.scale_columns:
        return shape.columns, matrix.columns, form.scale_columns
    apart = matrix.name.rpartition(".")[2] in _APART or start.quantization == _COMPRESSED
    blocks = form.scale_rows > 1 and form.scale_columns > 1
    if blocks and apart and shape.rows != matrix.rows and shape.rows % form.scale_rows:
        return shape.rows, matrix.rows, form.scale_rows
    return None


def _cut_experts(start: Replica, matrix: Matrix, shape: Shape, form: Format) -> tuple[int, int, int] | None:
    """Part, whole and group of experts whose channels are cut where vLLM makes the groups no finer."""
    along = matrix.shard == "row"
    part, whole = (shape.columns, matrix.columns) if along else (shape.rows, matrix.rows)
    group = form.scale_columns if along else form.scale_rows
    if form.scale_rows <= 1 and not along:
        return None
    if not group or part % group == 0 or (along and part == whole and not start.quantizes_online):
        return None
    finer = gcd(group, part, start.architecture.hidden_size)
    return None if finer >= _LEAST_BLOCK and _refines(start, form) else (part, whole, group)


def _refines(start: Replica, form: Format) -> bool:
    """Whether vLLM repeats the scales of experts for smaller groups that divide a rank's slice."""
    if start.quantizes_online or start.quantization == _COMPRESSED:
        return False
    if form.weights == DType.F8_E4M3:
        return start.settings.release.has("refines_fp8_blocks", capability=start.settings.capability)
    return True
