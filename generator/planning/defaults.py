"""vLLM's own defaults of the scheduler, by GPU and release, for the arguments that nobody sets.

vLLM 0.32 engine/arg_utils.py:2894 (get_batch_defaults) and :3097, for the API server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from generator.models.release import release_key
from generator.units import GIB

if TYPE_CHECKING:
    from generator.models.hardware import GPU

_LARGE_BYTES, _MEDIUM_BYTES = 160 * GIB, 70 * GIB
_GB10 = 121
_GB10_IS_SMALL_SINCE = (0, 33)
_A100 = 80
"""Capability of the GPUs that vLLM keeps small by name ("a100"), where NVML's name is not known."""


class BatchLimits(NamedTuple):
    """The two sizes of a batch that decide memory."""

    max_num_seqs: int
    max_num_batched_tokens: int


def scheduler_defaults(
    gpu: GPU,
    *,
    release: str,
    max_model_len: int,
    max_num_batched_tokens: int | None = None,
    max_num_seqs: int | None = None,
    performance_mode: str | None = None,
    chunked_prefill: bool = True,
) -> BatchLimits:
    """Batched tokens and sequences of one step, those that the user sets kept as they are."""
    tokens, seqs = _by_memory(gpu, release)
    factor = 2 if performance_mode == "throughput" else 1
    seqs = max_num_seqs or seqs * factor
    if max_num_batched_tokens is None:
        tokens *= factor
        tokens = tokens if chunked_prefill else max(max_model_len, tokens)
        tokens = min(seqs * max_model_len, tokens)
    else:
        tokens = max_num_batched_tokens
    return BatchLimits(max_num_seqs or min(seqs, tokens), tokens)


def _by_memory(gpu: GPU, release: str) -> tuple[int, int]:
    if gpu.memory_bytes >= _LARGE_BYTES:
        return 16384, 1024
    small_gb10 = gpu.capability == _GB10 and release_key(release) >= _GB10_IS_SMALL_SINCE
    if gpu.memory_bytes >= _MEDIUM_BYTES and not _is_a100(gpu) and not small_gb10:
        return 8192, 1024
    return 2048, 256


def _is_a100(gpu: GPU) -> bool:
    return any("a100" in name.lower() for name in gpu.nvml_names) or gpu.capability == _A100
