"""The budget of every pipeline stage of a layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.planning.memory import budget as budgets
from generator.planning.memory.pinned import pinned_cache
from generator.planning.weights.retained import retained_bytes
from generator.units import gib

if TYPE_CHECKING:
    from generator.models.overheads import BudgetSettings
    from generator.models.parallelism import Layout
    from generator.models.plan import MemoryBudget
    from generator.planning.case import Case
    from generator.planning.kv_cache.layout import CacheLayout
    from generator.planning.weights.rank import RankWeights


def stage_budgets(
    case: Case, layout: Layout, weights: RankWeights, memory: BudgetSettings, cache: CacheLayout
) -> tuple[MemoryBudget, ...]:
    """The budget of every stage; stages that are alike in all that decides it are drawn up once."""
    last = len(weights.stages) - 1
    if not last:
        size = pinned_cache(case.fixed, cache, 0)
        return (_budget(case, layout, weights.stages[0].total_bytes, memory, size, first=True, last=True),)
    made: dict[tuple[int, int | None, bool, bool], MemoryBudget] = {}
    stages = []
    for stage, held in enumerate(weights.stages):
        size = pinned_cache(case.fixed, cache, stage)
        key = (held.total_bytes, size, stage == 0, stage == last)
        if key not in made:
            made[key] = _budget(case, layout, held.total_bytes, memory, size, first=key[2], last=key[3])
        stages.append(made[key].model_copy(update={"worst_rank": f"stage {stage + 1} of {last + 1}"}))
    return tuple(stages)


def _budget(
    case: Case, layout: Layout, held: int, memory: BudgetSettings, cache_bytes: int | None, *, first: bool, last: bool
) -> MemoryBudget:
    return budgets.budget(
        weights_bytes=held + retained_bytes(case.architecture, case.on_gpu, layout, case.gpu.capability),
        architecture=case.architecture,
        layout=layout,
        settings=memory.model_copy(update={"kv_cache_bytes": cache_bytes}),
        gpu=case.gpu,
        link=case.cluster.link,
        release=case.vllm,
        table=case.tables.overheads,
        headroom_bytes=gib(case.request.headroom_gb),
        first_stage=first,
        last_stage=last,
    )
