"""vLLM's own defaults of the scheduler, by GPU and release, for the arguments that nobody sets.

vLLM 0.32 engine/arg_utils.py:2894 (get_batch_defaults) and :3097, for the API server.
"""

from typing import NamedTuple

from generator.models.architecture import Architecture
from generator.models.capability import AMPERE
from generator.models.hardware import GPU
from generator.models.model_class import ModelType
from generator.models.release import Release
from generator.units import GIB

_LARGE_BYTES, _MEDIUM_BYTES = 160 * GIB, 70 * GIB


class BatchLimits(NamedTuple):
    """The two sizes of a batch that decide memory."""

    max_num_seqs: int
    max_num_batched_tokens: int


def scheduler_defaults(
    gpu: GPU,
    *,
    release: Release,
    max_model_len: int,
    max_num_batched_tokens: int | None = None,
    max_num_seqs: int | None = None,
    performance_mode: str | None = None,
    chunked_prefill: bool = True,
    whole_item_tokens: int = 0,
) -> BatchLimits:
    """Batched tokens and sequences of one step, those that the user sets kept as they are."""
    tokens, seqs = _by_memory(gpu, release)
    factor = 2 if performance_mode == "throughput" else 1
    seqs = max_num_seqs or seqs * factor
    if max_num_batched_tokens is None:
        tokens *= factor
        tokens = tokens if chunked_prefill else max(max_model_len, tokens)
        if release.has("raises_batch_to_largest_item"):
            tokens = max(tokens, whole_item_tokens)
        tokens = min(seqs * max_model_len, tokens)
    else:
        tokens = max_num_batched_tokens
    return BatchLimits(max_num_seqs or min(seqs, tokens), tokens)


def whole_item_tokens(architecture: Architecture, model_type: ModelType, *, language_model_only: bool = False) -> int:
    """Tokens of the largest image or video where a step must take it whole; 0 where vLLM cuts inputs or is silent.

    Image tokens that attend both ways are never cut (vLLM 0.32 platforms/cuda.py:333), and a step that holds too few
    tokens for one input keeps vLLM from starting (v1/core/encoder_cache_manager.py:345).
    """
    if language_model_only or not architecture.prefix_lm:
        return 0
    return model_type.largest_item_tokens


def _by_memory(gpu: GPU, release: Release) -> tuple[int, int]:
    if gpu.memory_bytes >= _LARGE_BYTES:
        return 16384, 1024
    a100 = any("a100" in name.lower() for name in gpu.nvml_names) or gpu.capability == AMPERE
    small = a100 or release.has("small_batches", capability=gpu.capability)
    if gpu.memory_bytes >= _MEDIUM_BYTES and not small:
        return 8192, 1024
    return 2048, 256
