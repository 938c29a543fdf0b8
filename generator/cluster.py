"""The GPUs of a request: rows of the table, figures of its own, or what this machine's driver says."""

from math import ceil
from typing import Any

from generator.catalogue.gpus import custom_gpu, find_gpu, gpu_by_nvml, without_speed
from generator.errors import HardwareDetectionError, RequestError, UnknownFactError
from generator.models.hardware import GPU, Cluster
from generator.models.request import Request
from generator.units import GIB, gib


def cluster_for(request: Request) -> Cluster:
    """The GPUs that a request names, with their figures from the table or from the request.

    Raises:
        UnknownFactError: no row has that name.
        RequestError: a custom GPU lacks its memory or capability, or other processes hold all of a GPU.
    """
    gpu, reserved = _gpu(request), gib(request.reserve_gb)
    if reserved >= gpu.memory_bytes:
        raise RequestError(
            f"--reserve-gb {request.reserve_gb:g}: a {gpu.name} has {gpu.memory_bytes / GIB:.1f} GiB, so that other "
            "processes would hold all of it: give what they hold of each GPU, or name a larger one"
        )
    return Cluster(
        gpu=gpu,
        gpus_per_node=request.gpus,
        nodes=request.nodes,
        interconnect=request.interconnect,
        reserved_bytes=reserved,
    )


def detected_hardware() -> dict[str, Any]:
    """Answers that this machine's driver gives: gpu, gpus, and reserve_gb where other processes hold memory.

    Raises:
        HardwareDetectionError: no driver, no GPU, GPUs of different kinds, or one that is divided (MIG).
        UnknownFactError: the driver's product name is not in the table.
    """
    from generator.sources.nvml import detect  # noqa: PLC0415 - start-up time

    system = detect()
    if not system.is_uniform:
        names = ", ".join(dict.fromkeys(gpu.name for gpu in system.gpus))
        raise HardwareDetectionError(f"this machine has GPUs of different kinds ({names}): name one, --gpu and --gpus")
    first = system.gpus[0]
    if first.mig_enabled:
        raise HardwareDetectionError(
            f"{first.name} is in MIG mode, so that vLLM sees one instance of it: name that, as nvidia-smi -L does, "
            f"with --gpu '{first.name} MIG 1g.10gb' or the like"
        )
    busy = any(gpu.processes for gpu in system.gpus)
    return {
        "gpu": gpu_by_nvml(first.name, first.memory_total_bytes).name,
        "gpus": len(system.gpus),
        **({"reserve_gb": ceil(system.reserved_bytes / GIB * 10) / 10} if busy else {}),
    }


def detected_gpu() -> str | None:
    """Catalogue name of this machine's GPU; None where there is none that the table knows."""
    try:
        return str(detected_hardware()["gpu"])
    except (HardwareDetectionError, UnknownFactError):
        return None


def _gpu(request: Request) -> GPU:
    if request.gpu == "custom":
        if not (request.vram_gb and request.capability):
            raise RequestError("--gpu custom needs both: --vram-gb N --capability X.Y")
        return custom_gpu(request.vram_gb, request.capability)
    if request.gpu == "auto":
        return find_gpu(str(detected_hardware()["gpu"]))
    gpu = find_gpu(request.gpu)
    return without_speed(gpu, gib(request.vram_gb)) if request.vram_gb else gpu
