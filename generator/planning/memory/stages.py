"""The budget of every pipeline stage of a layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.interval import ByteInterval
from generator.models.plan import MemoryBudget
from generator.planning.memory import budget as budgets
from generator.planning.memory.measured import known_boot
from generator.planning.memory.overhead import device_total
from generator.planning.memory.pinned import pinned_cache
from generator.planning.replica import once_a_replica
from generator.planning.weights.retained import retained_bytes
from generator.units import gib

if TYPE_CHECKING:
    from generator.planning.case import Case
    from generator.planning.memory.measured import Needs
    from generator.planning.replica import Replica
    from generator.planning.weights.rank import RankWeights


def stage_budgets(case: Case, replica: Replica, weights: RankWeights, utilization: float) -> tuple[MemoryBudget, ...]:
    """The budget of every stage; stages that are alike in all that decides it are drawn up once."""
    last = len(weights.stages) - 1
    made: dict[tuple[int, int | None, bool, bool], MemoryBudget] = {}
    stages = []
    for stage, held in enumerate(weights.stages):
        key = (held.total_bytes, pinned_cache(case.fixed, replica.cache, stage), stage == 0, stage == last)
        if key not in made:
            made[key] = _budget(case, replica, key, utilization)
        named = {"worst_rank": f"stage {stage + 1} of {last + 1}"} if last else {}
        stages.append(made[key].model_copy(update=named))
    return tuple(stages)


def unmeasured_needs(case: Case, replica: Replica, weights: RankWeights) -> tuple[Needs, ByteInterval]:
    """What a plan says of the worst rank's items without any measurement, and of the profile's other way."""
    total = device_total(replica.gpu, case.tables.overheads).expected
    return budgets.needs_of(replica, weights.worst.total_bytes + _retained(replica), total, case.tables.overheads)


def _budget(
    case: Case, replica: Replica, stage: tuple[int, int | None, bool, bool], utilization: float
) -> MemoryBudget:
    """The budget of a stage, by its weights, the bytes that the user fixes its cache to, and which ends it holds."""
    held, cache_bytes, first, last = stage
    known = known_boot(case, replica)
    return (budgets.budget if known else budgets.unmeasured)(
        replica,
        weights_bytes=held + _retained(replica),
        utilization=utilization,
        table=case.tables.overheads,
        cache_bytes=cache_bytes,
        headroom_bytes=gib(case.request.headroom_gb),
        first_stage=first,
        last_stage=last,
        known=known,
    )


@once_a_replica
def _retained(replica: Replica) -> int:
    triton = replica.release.has("bundles_triton_kernels")
    return retained_bytes(replica.architecture, replica.stored, replica.layout, replica.gpu.capability, triton=triton)
