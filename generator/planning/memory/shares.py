"""The share of the GPU that one engine asks for, and that its budget may fill."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.planning import limits
from generator.planning.limits import Limit
from generator.planning.memory import unbudgeted
from generator.units import MIB

if TYPE_CHECKING:
    from generator.models.interval import ByteInterval
    from generator.models.plan import MemoryBudget
    from generator.planning.case import Case
    from generator.planning.replica import Replica

_FIXES_CACHE = frozenset({"kv_cache_memory_bytes", "num_gpu_blocks_override"})


def budget_share(case: Case, replica: Replica, utilization: Limit) -> float:
    """The share that the budget may fill: all that is free where the user fixes the cache's size.

    vLLM then sizes nothing by the utilization (0.32 v1/worker/gpu_worker.py:649).
    """
    if case.fixed.keys() & _FIXES_CACHE:
        return _free_share(case, _outside(case, replica))
    return float(utilization.value)


def chosen_utilization(case: Case, replica: Replica, own: Limit | None) -> Limit:
    """The user's or vLLM's own utilization where it is left to them, else the highest that is safe."""
    if own is not None:
        return own
    outside = _outside(case, replica)
    value = _free_share(case, outside)
    return Limit("gpu_memory_utilization", value, partial(limits.utilization_reason, outside.high, case.cluster))


def overdrawn(case: Case, replica: Replica) -> int:
    """Bytes of one GPU that are taken beyond all that it has, before vLLM asks for any."""
    return unbudgeted.overdrawn_bytes(
        gpu=case.gpu,
        outside=_outside(case, replica),
        reserved_bytes=case.cluster.reserved_bytes,
        table=case.tables.overheads,
    )


def _free_share(case: Case, outside: ByteInterval) -> float:
    """The highest utilization that leaves room for what vLLM does not budget."""
    return unbudgeted.choose_utilization(
        gpu=case.gpu,
        outside=outside,
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
    context = case.tables.overheads.term("cuda_context_mib", case.release).times(MIB).expected
    reason = unbudgeted.free_memory_refusal(
        memory, reserved_bytes=case.cluster.reserved_bytes, context_bytes=context, utilization=float(own.value)
    )
    if reason is not None:
        raise RequestError(f"{reason}: lower --gpu-memory-utilization, or leave it out")
