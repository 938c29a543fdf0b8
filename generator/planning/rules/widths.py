"""What vLLM refuses of layers without heads: widths and a vocabulary that do not divide over tensor-parallel ranks."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from generator.errors import UnevenError
from generator.models.feed_forward import MoE
from generator.planning.weights.expansion import modules
from generator.planning.weights.sharding import VOCAB_PADDING
from generator.units import round_up

if TYPE_CHECKING:
    from generator.models.architecture import Architecture
    from generator.models.matrix import Matrix
    from generator.planning.replica import Replica


class _Side(NamedTuple):
    """A side of a matrix that tensor parallelism splits."""

    size: int
    name: str
    undivided: int
    whole_by_tokens: bool


def widths_divide(start: Replica) -> None:
    """Each split side of a linear layer, and the padded vocabulary, divide over ranks (distributed/utils.py:53).

    vLLM 0.19.1 to 0.33.0 layers/linear.py (ColumnParallelLinear, MergedColumnParallelLinear, RowParallelLinear) and
    layers/vocab_parallel_embedding.py: vocab_range_from_global_vocab_size. Heads, experts and towers have own rules.

    Raises:
        UnevenError: one does not.
    """
    tp = start.layout.tensor_parallel_size
    if tp == 1:
        return
    uneven = _uneven(start, tp)
    if uneven is not None:
        raise UnevenError(f"{uneven.size:,} {uneven.name} do not divide over tensor parallel size {tp}")


def experts_divide_over_the_world(start: Replica) -> None:
    """Some classes divide an expert's channels by all ranks, however they are spread.

    vLLM 0.23.0 to 0.33.0 model_executor/models/gpt_oss.py: MLPBlock.

    Raises:
        UnevenError: they do not divide.
    """
    ranks, name = start.layout.ranks, start.architecture.architecture
    if not start.architecture.is_moe or not start.release.has("experts_divide_over_the_world", architecture=name):
        return
    for kind in start.architecture.layer_kinds:
        block = kind.feed_forward
        if isinstance(block, MoE) and block.moe_intermediate_size % ranks:
            raise UnevenError(
                f"vLLM's {name} wants the {block.moe_intermediate_size:,} channels of its experts to be divisible by "
                f"all {ranks} ranks of an engine, of stages and replicas too"
            )


def _uneven(start: Replica, tp: int) -> _Side | None:
    """The first side that does not divide over `tp` ranks."""
    by_tokens = start.layout.enable_expert_parallel and start.layout.data_parallel_size > 1
    for side in _sides(start.architecture, start.drafts):
        whole = side.undivided % tp or (side.whole_by_tokens and by_tokens)
        if side.size % tp and not whole:
            return side
    return None


@lru_cache(maxsize=64)
def _sides(architecture: Architecture, drafts: int) -> tuple[_Side, ...]:
    """Every split side of the model, each size once."""
    found = (_side(module.matrix) for module in modules(architecture, drafts))
    return tuple({side._replace(name=""): side for side in found if side is not None}.values())


def _side(matrix: Matrix) -> _Side | None:
    if matrix.shard == "vocab":
        return _Side(round_up(matrix.rows, VOCAB_PADDING), "rows of the padded vocabulary", 0, whole_by_tokens=False)
    size = {"column": matrix.rows, "row": matrix.columns}.get(matrix.shard, 0)
    apart = matrix.units is not None or matrix.experts or matrix.part == "vision" or not matrix.linear
    if not size or apart:
        return None
    return _Side(size, f"channels of {matrix.name}", matrix.undivided, matrix.whole_by_tokens)
