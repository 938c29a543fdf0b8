"""The share of the GPU that one engine asks for, and that its budget may fill."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.models.interval import ByteInterval
from generator.models.plan import MemoryBudget
from generator.models.verdict import OOMRisk
from generator.planning import limits
from generator.planning.limits import Limit
from generator.planning.memory import unbudgeted

if TYPE_CHECKING:
    from generator.planning.case import Case
    from generator.planning.replica import Replica

_FIXES_CACHE = frozenset({"kv_cache_memory_bytes", "num_gpu_blocks_override"})


def budget_share(case: Case, replica: Replica, utilization: Limit) -> float:
    """The share that the budget may fill: all that is free where the user fixes the cache's size.

    vLLM then sizes nothing by the utilization (0.32 v1/worker/gpu_worker.py:649).
    """
    if case.fixed.keys() & _FIXES_CACHE:
        return unbudgeted.choose_utilization(case.cluster, _outside(case, replica).high, case.tables.overheads)
    return float(utilization.value)


def chosen_utilization(case: Case, replica: Replica, own: Limit | None, wanted: float) -> Limit:
    """The user's or vLLM's own utilization where it is left to them, else `wanted` as far as the GPU has it."""
    if own is not None:
        return own
    outside, default = _outside(case, replica), case.tables.engine.default_gpu_memory_utilization
    kept = outside.expected if wanted <= default else outside.low
    value = unbudgeted.choose_utilization(case.cluster, kept, case.tables.overheads, wanted)
    because = partial(limits.utilization_reason, value, default, outside.expected, case.cluster)
    return Limit("gpu_memory_utilization", value, because)


def raised_utilizations(case: Case) -> tuple[float, ...]:
    """Shares above vLLM's default, up to the largest that starts are known to have survived."""
    default, most = case.tables.engine.default_gpu_memory_utilization, case.tables.overheads.most_utilization
    steps = range(round(default * 100) + 1, round(most * 100) + 1)
    return tuple(step / 100 for step in steps) if case.chooses("gpu_memory_utilization") else ()


def start_risk(case: Case, replica: Replica, share: float) -> OOMRisk:
    """The risk that the GPU has not free what `share` asks for, or not what comes on top of it.

    LOW where it has even at the high end of what is outside the budget, on a share that starts are known to have
    survived, and where no CPU shares the memory; HIGH where it has not even at the expected values.
    """
    table = case.tables.overheads
    left, outside = unbudgeted.left_over(case.cluster, share, table), _outside(case, replica)
    if left < outside.expected:
        return "HIGH"
    doubtful = left < outside.high or share > table.most_utilization or case.gpu.unified_memory
    return "MEDIUM" if doubtful else "LOW"


def overdrawn(case: Case, replica: Replica) -> int:
    """Bytes of one GPU that are taken beyond all that it has, before vLLM asks for any."""
    return unbudgeted.overdrawn_bytes(
        gpu=case.gpu,
        outside=_outside(case, replica),
        reserved_bytes=case.cluster.reserved_bytes,
        table=case.tables.overheads,
    )


def _outside(case: Case, replica: Replica) -> ByteInterval:
    """Bytes of one GPU that vLLM does not budget."""
    return unbudgeted.outside_bytes(replica, case.tables.overheads)


def refuse_taken_memory(case: Case, memory: MemoryBudget, own: Limit | None) -> None:
    """Return only where the GPU has free what the user's utilization asks for.

    Raises:
        RequestError: other processes hold too much of it; vLLM's reason.
    """
    if own is None:
        return
    context = unbudgeted.in_use(case.cluster, case.tables.overheads).low
    reason = unbudgeted.free_memory_refusal(
        memory, reserved_bytes=case.cluster.reserved_bytes, context_bytes=context, utilization=float(own.value)
    )
    if reason is not None:
        raise RequestError(f"{reason}: lower --gpu-memory-utilization, or leave it out")
