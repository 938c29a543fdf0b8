"""vGPUs, by the gibibytes that their name ends in (`A40-24Q`): memory of their own, time of the whole GPU."""

from __future__ import annotations

import re

from generator.catalogue.gpu_table import all_gpus
from generator.catalogue.gpu_words import dashed
from generator.models.hardware import GPU
from generator.units import GIB

_VGPU = re.compile(r"(?:grid-)?(?P<board>[a-z]+\d+s?)(?:dx|xm|xl|d|x|l)?(?:-\d)?-(?P<gib>\d{1,3})[abcq]")
"""NVIDIA's scheme, after `dashed`: product, its variant, the MIG slice it lies on, GiB, and its series
(https://docs.nvidia.com/vgpu/latest/grid-vgpu-user-guide)."""


def vgpu_named(name: str) -> GPU | None:
    """The vGPU of this name with its gibibytes and its GPU's capability; None where it is none of a GPU of the table.

    Its speed is unknown: the scheduler gives it turns on the whole GPU, by what its neighbours ask for.
    """
    found = _VGPU.fullmatch(dashed(name))
    if found is None:
        return None
    whole = next((gpu for gpu in all_gpus() if gpu.name.casefold().startswith(f"{found['board']}-")), None)
    size = int(found["gib"]) * GIB
    if whole is None or not size:
        return None
    return GPU(
        name=f"{found['board']}-{found['gib']}{dashed(name)[-1]}".upper(),
        nvml_names=(name.strip(),),
        memory_bytes=size,
        capability=whole.capability,
        memory_kind=whole.memory_kind,
        vgpu_of=whole.name.split("-", maxsplit=1)[0],
        source=f"a vGPU of {found['gib']} GiB by its name; its turns on the GPU are not known",
    )
