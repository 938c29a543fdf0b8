"""VLLM's own offloading of the cache to the host's memory: its chunks, and how many sessions they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.sessions import Offload
from generator.planning.kv_cache.specs import MLAAttentionSpec, SlidingWindowMLASpec
from generator.units import ceil_div, gib, round_up

if TYPE_CHECKING:
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case

_PAGE_BYTES = 4096
"""Chunks end at pages (vLLM 0.33 v1/kv_offload/cpu/shared_offload_region.py: BLOCK_SIZE_ALIGNMENT, mmap.PAGESIZE)."""
_STEP_GIB = 1


def is_counted(case: Case) -> bool:
    """Whether it is known how the release lays this cache out, and it is vLLM's own that is asked for.

    LMCache's server has a size of its own (vLLM 0.33 config/vllm.py: _post_init_kv_transfer_config).
    """
    return case.vllm.has("offloads_in_chunks") and case.fixed.get("kv_offloading_backend", "native") == "native"


def chunk_bytes(case: Case, option: Candidate) -> int:
    """Bytes of one chunk: a block of every rank of an engine, or one copy where all ranks hold the same.

    vLLM 0.33 v1/kv_offload/cpu/spec.py: CPUOffloadingSpec, and what is one copy:
    distributed/kv_transfer/kv_connector/v1/offloading/config.py: replicated_layout.
    """
    block, layout = max(option.cache.bytes_per_block), option.layout
    ranks = layout.replica_ranks
    return round_up(block * (1 if _one_copy(case, option) else ranks), _PAGE_BYTES)


def offload(size_gib: float, chunk: int) -> Offload:
    """The buffer that `kv_offloading_size` makes of one engine: whole chunks of it."""
    chunks = gib(size_gib) // chunk
    return Offload(size_gib=size_gib, chunk_bytes=chunk, chunks=chunks, held_bytes=chunks * chunk)


def size_for(chunks: int, chunk: int) -> float:
    """The smallest `kv_offloading_size`, in whole GiB, that holds so many chunks."""
    return float(ceil_div(chunks * chunk, gib(_STEP_GIB)) * _STEP_GIB)


def stored_blocks(option: Candidate, tokens: int) -> int:
    """Blocks of a request of so many tokens that are stored: the full ones of every group of layers.

    A group with a window keeps fewer; that its older blocks are stored too makes this the high end.
    """
    return sum(tokens // group.block_size_tokens for group in option.cache.groups)


def _one_copy(case: Case, option: Candidate) -> bool:
    layout = option.layout
    latent = all(isinstance(group.spec, (MLAAttentionSpec, SlidingWindowMLASpec)) for group in option.cache.groups)
    tensor_alone = layout.pipeline_parallel_size == layout.decode_context_parallel_size == 1
    several = layout.tensor_parallel_size > 1 and case.cluster.nodes == 1
    return latent and tensor_alone and several and not case.gpu.capability.is_rocm
