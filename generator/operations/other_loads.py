"""What a planned server delivers to fewer and to more requests at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.estimate import LoadPoint
from generator.planning.started import as_started
from generator.workflow import plan_for

if TYPE_CHECKING:
    from generator.workflow import Proof

_LOADS = (1, 4, 16, 64, 256, 1024)
"""Requests at once that a server is looked at under."""


def loads_for(proof: Proof) -> tuple[LoadPoint, ...]:
    """What the planned server delivers to fewer and to more requests at once than it is planned for.

    Up to its own `max_num_seqs` on every replica; nothing where no speed is known, or it answers with no tokens.
    """
    plan = proof.plan
    if plan.estimate is None or plan.pooling is not None or plan.feasibility.verdict == "does_not_fit":
        return ()
    most = int(plan.engine.get("max_num_seqs") or 0) * plan.layout.data_parallel_size
    asked = sorted({count for count in _LOADS if count <= most} | {proof.request.load.concurrency})
    requests = (
        as_started(proof.request, plan.engine, concurrency=count, requests_per_s=0.0, ttft_ms=0.0, tpot_ms=0.0)
        for count in asked
    )
    made = (plan_for(request, proof.facts, proof.tables).estimate for request in requests)
    return tuple(
        LoadPoint(concurrency=count, estimate=found) for count, found in zip(asked, made, strict=True) if found
    )
