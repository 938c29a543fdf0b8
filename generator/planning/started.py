"""The request of a server as it was started: its engine values stay, whatever load it meets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from generator.models.request import Request

_PINNED = (
    "tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size", "max_model_len", "max_num_seqs",
    "max_num_batched_tokens", "gpu_memory_utilization", "kv_cache_dtype", "enforce_eager",
)  # fmt: skip
"""Engine values that a plan for another load would choose anew, and that a running server keeps."""


def as_started(request: Request, engine: Mapping[str, Any], **load: float) -> Request:
    """The request for another `load`, with the engine values of its plan as the user's own."""
    started = {name: engine[name] for name in _PINNED if engine.get(name) is not None}
    return request.model_copy(update={**load, "overrides": request.overrides | started})
