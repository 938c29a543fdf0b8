"""Kernels that may fail a start that is planned: those that are known to hang, and those that forks alone have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.attention import CompressedMLA
from generator.planning.rules.experts import GELU, PADS, broken_width, expert_blocks, named_kernel, way_of

if TYPE_CHECKING:
    from generator.models.architecture import Architecture
    from generator.models.capability import Capability
    from generator.models.parallelism import Layout
    from generator.models.release import Release
    from generator.planning.case import Case

_CUTLASS, _TILE = "flashinfer_cutlass", 128


def kernel_doubt(case: Case, layout: Layout) -> str:
    """Why kernels or loaders of the release may end the start, though nothing that was read decides; empty for none."""
    if width := hanging_width(case, layout):
        return f"experts of {width:,} channels may hang in FlashInfer's CUTLASS kernel here: --set moe_backend=triton"
    if needs_a_fork(case.architecture, case.vllm, case.gpu.capability):
        return (
            f"vLLM {case.release} has no kernels of its attention for {case.gpu.name}, and forks have: pin a newer one"
        )
    if width := broken_width(case, layout):
        return (
            f"experts of {width:,} channels end in a broken block of FP8, which vLLM {case.release} does not pad: pin "
            f"vLLM {case.vllm.since[PADS]} or newer"
        )
    if packs_experts_together(case):
        return (
            f"vLLM {case.release} loads no experts that a checkpoint packs into one tensor a layer, as AWQ's of this "
            "model do: pin a newer one"
        )
    if drafts_at_once_unproven(case):
        return f"a DFlash draft ended vLLM {case.release} on {case.gpu.name} in a public report (vllm#50707)"
    return ""


def hanging_width(case: Case, layout: Layout) -> int:
    """Channels of a rank's unquantized experts that may hang in FlashInfer's CUTLASS kernel; 0 where none does."""
    if way_of(case) != "unquantized" or not _is_cutlass(case, layout):
        return 0
    if not case.vllm.has("hangs_between_tiles_of_cutlass", capability=case.gpu.capability):
        return 0
    ranks = layout.expert_slices
    widths = (block.moe_intermediate_size // ranks for block in expert_blocks(case))
    return next((width for width in widths if width % _TILE), 0)


def packs_experts_together(case: Case) -> bool:
    """Whether the checkpoint may hold quantized experts in a way that the release's class does not load (Gemma 4).

    Tensors named ..._packed, as compressed-tensors has them of experts that are one tensor; one an expert is loaded.
    """
    own, name = case.quantization, case.architecture.architecture
    packed = own is not None and any(scheme and scheme.packing == "pack-quantized" for scheme in own.schemes)
    return packed and case.architecture.is_moe and case.vllm.has("loads_no_experts_packed_together", architecture=name)


def drafts_at_once_unproven(case: Case) -> bool:
    """Whether a DFlash draft is one that a public report saw fail on such a GPU."""
    drafts = case.draft is not None and case.draft.method == "dflash"
    return drafts and case.vllm.has("fails_drafts_at_once", capability=case.gpu.capability)


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
