"""What vLLM refuses of encoders beside the decoder: their heads and channels divide over the ranks.

Each rule returns only where it holds: else it raises RequestError, an UnevenError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import UnevenError
from generator.models.architecture import Tower
from generator.models.matrix import Matrix

if TYPE_CHECKING:
    from generator.planning.replica import Replica


def towers_divide(start: Replica) -> None:
    """Heads and channels of an encoder divide over ranks unless each holds it whole (distributed/utils.py:53).

    `mm_encoder_tp_mode: data` holds the encoders of many classes whole (vLLM 0.32 config/multimodal.py). Encoders that
    `language_model_only` leaves out are built all the same, without memory (0.23.0 and 0.33.0 models/interfaces.py:
    _mark_tower_model).
    """
    tp = start.layout.tensor_parallel_size
    if tp == 1 or start.encoders_whole:
        return
    for tower in start.architecture.towers:
        uneven = _uneven(tower, tp)
        if uneven:
            raise UnevenError(
                f"the encoder beside the decoder has {uneven}, which do not divide over tensor parallel size {tp}: set "
                "mm_encoder_tp_mode=data where the model's class supports it, or serve text alone"
            )


def _uneven(tower: Tower, tp: int) -> str:
    """What of the tower does not divide, in words; empty where all does."""
    if tower.num_heads % tp:
        return f"{tower.num_heads} attention heads"
    for matrix in (*tower.block, *tower.outer):
        size = _split_size(matrix)
        if size % tp and not matrix.undivided % tp:
            return f"{size} channels ({matrix.name})"
    return ""


def _split_size(matrix: Matrix) -> int:
    return {"column": matrix.rows, "row": matrix.columns}.get(matrix.shard, 0)
