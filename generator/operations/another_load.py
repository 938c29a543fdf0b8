"""What a deployment's own server, as it was started, is planned to do under another load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator import recording

if TYPE_CHECKING:
    from generator.models.request import Request
    from generator.rendering.answers import Answers

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
    request, engine = recording.request_of(answers.values), answers.plan.engine
    started = {name: engine[name] for name in _PINNED if engine.get(name) is not None}
    return request.model_copy(update={**load, "overrides": request.overrides | started})
