"""How many rows, columns and copies of a matrix one rank holds, by vLLM's rules, encoders included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from generator.units import ceil_div, round_up

if TYPE_CHECKING:
    from generator.models.matrix import Matrix
    from generator.models.model_class import ModelClass
    from generator.models.parallelism import Layout

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
