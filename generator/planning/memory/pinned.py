"""Memory that the user's own arguments fix: a cache of given size, weights and cache in the host's memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from generator.models.interval import ByteInterval
from generator.models.parallelism import Layout
from generator.units import gib

if TYPE_CHECKING:
    from generator.planning.kv_cache.layout import CacheLayout
    from generator.planning.replica import Replica

    Fixed = Mapping[str, object]


def pinned_cache(fixed: Fixed, cache: CacheLayout, stage: int) -> int | None:
    """Cache bytes of a rank of the stage where an argument fixes them, whatever the utilization; else None.

    `num_gpu_blocks_override` (vLLM 0.32 v1/core/kv_cache_utils.py:2611) comes after `kv_cache_memory_bytes`
    (v1/worker/gpu_worker.py:649), and so wins.
    """
    blocks = fixed.get("num_gpu_blocks_override")
    if isinstance(blocks, int):
        return blocks * cache.bytes_per_block[stage]
    asked = fixed.get("kv_cache_memory_bytes")
    return asked if isinstance(asked, int) else None


def offloaded(fixed: Fixed) -> int:
    """Bytes of weights that each rank keeps in the host's memory (`cpu_offload_gb`, per GPU)."""
    asked = fixed.get("cpu_offload_gb")
    return gib(asked) if isinstance(asked, (int, float)) else 0


def host_bytes(fixed: Fixed, layout: Layout) -> int:
    """Host memory that offloading takes: weights of every rank, and each replica's cache (`kv_offloading_size`).

    The latter is the sum over the ranks of one replica (vLLM 0.32 config/cache.py: kv_offloading_size).
    """
    return offloaded(fixed) * layout.ranks + cache_on_host(fixed, layout)


def cache_on_host(fixed: Fixed, layout: Layout) -> int:
    """Host memory of the offloaded cache of every replica, which lies in /dev/shm.

    vLLM 0.33 v1/kv_offload/cpu/shared_offload_region.py: SharedOffloadRegion.
    """
    asked = fixed.get("kv_offloading_size")
    return (gib(asked) if isinstance(asked, (int, float)) else 0) * layout.data_parallel_size


def left_on_gpu(weights: ByteInterval, replica: Replica, *, ends: int) -> ByteInterval:
    """Weights of a rank without those that layers leave in the host's memory.

    vLLM moves the parameters of layers one by one until the limit is reached, so it may pass it by one of them
    (0.32 model_executor/offloader/uva.py:98); embedding and head stay, `ends` of them on this rank.
    """
    asked, model = replica.settings.cpu_offload_bytes, replica.architecture
    if not asked:
        return weights
    kept = ends * model.vocab_size * model.hidden_size * replica.dtype_bytes
    movable = max(0, weights.expected - kept // replica.layout.tensor_parallel_size)
    moved = min(asked, movable)
    return ByteInterval(expected=weights.expected - moved, low=weights.low - moved, high=weights.high - moved)


def pinned(left: ByteInterval, asked: int) -> ByteInterval:
    """A cache of `asked` bytes where `left` is free for it; what is missing, below zero, where it is not."""
    low, expected, high = (asked if asked <= have else have - asked for have in (left.low, left.expected, left.high))
    return ByteInterval(expected=expected, low=low, high=high)
