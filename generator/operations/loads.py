"""A planned server under other loads: its engine values stay as it was started, and the requests change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from generator import recording
from generator.models.estimate import LoadPoint
from generator.models.request import Request
from generator.workflow import plan_for

if TYPE_CHECKING:
    from generator.rendering.answers import Answers
    from generator.workflow import Proof

_LOADS = (1, 4, 16, 64, 256, 1024)
"""Requests at once that a server is looked at under."""
_PINNED = (
    "tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size", "max_model_len", "max_num_seqs",
    "max_num_batched_tokens", "gpu_memory_utilization", "kv_cache_dtype", "enforce_eager",
)  # fmt: skip
"""Engine values that a plan for another load would choose anew, and that a running server keeps."""


def under_load(answers: Answers, **load: int) -> Request:
    """The deployment's request for another `load`, with the recorded plan's engine values as the user's own.

    Raises:
        RequestError: the recorded answers cannot be read.
    """
    return _as_started(recording.request_of(answers.values), answers.plan.engine, **load)


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
        _as_started(proof.request, plan.engine, concurrency=count, requests_per_s=0.0, ttft_ms=0.0, tpot_ms=0.0)
        for count in asked
    )
    made = (plan_for(request, proof.facts, proof.tables, compared=False).estimate for request in requests)
    return tuple(
        LoadPoint(concurrency=count, estimate=found) for count, found in zip(asked, made, strict=True) if found
    )


def _as_started(request: Request, engine: Mapping[str, Any], **load: float) -> Request:
    """The request for another `load`, with the engine values of its plan as the user's own."""
    started = {name: engine[name] for name in _PINNED if engine.get(name) is not None}
    return request.model_copy(update={**load, "overrides": request.overrides | started})
