"""Kernels that may fail a start that is planned: those that are known to hang, and those that forks alone have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.attention import CompressedMLA
from generator.planning.rules.experts import GELU, expert_blocks, named_kernel, way_of

if TYPE_CHECKING:
    from generator.models.architecture import Architecture
    from generator.models.capability import Capability
    from generator.models.parallelism import Layout
    from generator.models.release import Release
    from generator.planning.case import Case

_CUTLASS, _TILE = "flashinfer_cutlass", 128


def hanging_width(case: Case, layout: Layout) -> int:
    """Channels of a rank's unquantized experts that may hang in FlashInfer's CUTLASS kernel; 0 where none does."""
    if way_of(case) != "unquantized" or not _is_cutlass(case, layout):
        return 0
    if not case.vllm.has("hangs_between_tiles_of_cutlass", capability=case.gpu.capability):
        return 0
    ranks = layout.expert_slices
    widths = (block.moe_intermediate_size // ranks for block in expert_blocks(case))
    return next((width for width in widths if width % _TILE), 0)


def needs_a_fork(architecture: Architecture, release: Release, capability: Capability) -> bool:
    """Whether forks of the release alone have kernels of the model's attention for the GPU (DeepSeek-V4's)."""
    own = any(isinstance(kind.mixer, CompressedMLA) for kind in architecture.layer_kinds)
    return own and release.has("reads_compressed_latents_in_a_fork", capability=capability)


def _is_cutlass(case: Case, layout: Layout) -> bool:
    """Whether the kernel is named, or taken as the next after TRT-LLM's, which knows no GELU.

    With data-parallel ranks Triton's comes before (vLLM 0.33 fused_moe/oracle/unquantized.py: _get_priority_backends).
    """
    named = named_kernel(case)
    gelu = any(block.activation in GELU for block in expert_blocks(case))
    return named == _CUTLASS or (named is None and gelu and layout.data_parallel_size == 1)
