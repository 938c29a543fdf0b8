"""Advice of single kinds of GPU: parts of one, and AMD's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.capability import CDNA3
from generator.models.dtype import DType
from generator.models.host import ROCM
from generator.planning.sentence import Figures, Sentence, says

if TYPE_CHECKING:
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case


@says(
    "advisory",
    "The GPU is a slice: GPU_0 in .env takes the MIG-... identifier that `nvidia-smi -L` prints of it, since 0 is the "
    "whole GPU; where Kubernetes calls it {resource} (the device plugin's strategy `mixed`), set the chart's "
    "gpuResource to that.",
)
def _slice(case: Case, _: Candidate) -> Figures | None:
    profile = case.gpu.name.rpartition("-MIG-")[2]
    return {"resource": f"nvidia.com/mig-{profile}"} if case.gpu.slice_of else None


@says(
    "advisory",
    "The GPU is a vGPU: its memory is its own, its time depends on its neighbours on the {whole}, so that its speed is "
    "unknown.",
)
def _vgpu(case: Case, _: Candidate) -> Figures | None:
    return {"whole": case.gpu.vgpu_of} if case.gpu.vgpu_of else None


@says(
    "advisory",
    "AMD: the plan is for vLLM's ROCm build, image {image}, with {devices} and the groups {groups}. AITER's kernels "
    "are off, as vLLM has them; VLLM_ROCM_USE_AITER=1 turns them on.",
)
def _rocm(case: Case, _: Candidate) -> Figures | None:
    if not case.gpu.capability.is_rocm:
        return None
    image = case.tables.engine.rocm_image
    return {"image": image, "devices": " and ".join(ROCM.devices), "groups": " and ".join(ROCM.groups)}


@says(
    "advisory",
    "{gpu} computes FP8 as FNUZ: vLLM turns a checkpoint's OCP FP8 into it while loading, in as many bytes.",
)
def _fnuz(case: Case, chosen: Candidate) -> Figures | None:
    stored = {str(rule.format.weights) for rule in case.on_gpu.rules if rule.format} if case.on_gpu else set()
    fp8 = DType.F8_E4M3 in stored or chosen.cache.kv_cache_dtype.startswith("fp8")
    return {"gpu": case.gpu.name} if case.gpu.capability == CDNA3 and fp8 else None


HARDWARE = tuple(one for one in tuple(globals().values()) if isinstance(one, Sentence))
"""Everything that this module says, in the order in which it stands above."""
