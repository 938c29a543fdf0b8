"""The GPUs of this machine, as NVIDIA's driver reports them through NVML; `nvidia-smi` is not needed."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from generator.errors import HardwareDetectionError
from generator.models.capability import Capability
from generator.models.value import Value

_BY_HAND = "or describe the GPUs with --gpu and --gpus"
_NEXT_STEPS = {
    "NVML_ERROR_LIBRARY_NOT_FOUND": (
        "No NVIDIA driver is installed here (libnvidia-ml was not found)",
        f"install the driver, pass the GPUs into the container, {_BY_HAND}",
    ),
    "NVML_ERROR_DRIVER_NOT_LOADED": (
        "The NVIDIA driver is installed but not running",
        f"load its kernel module (`modprobe nvidia`) or restart the machine, {_BY_HAND}",
    ),
    "NVML_ERROR_NO_PERMISSION": (
        "This user may not ask the NVIDIA driver",
        f"allow access to /dev/nvidia* (often group `video` or `render`), {_BY_HAND}",
    ),
    "NVML_ERROR_OPERATING_SYSTEM": (
        "The operating system blocked the request to the NVIDIA driver",
        f"check the container's or sandbox's device rules for /dev/nvidia*, {_BY_HAND}",
    ),
    "NVML_ERROR_LIB_RM_VERSION_MISMATCH": (
        "The NVIDIA driver and its library are of different versions, as after an upgrade",
        f"restart the machine or reload the kernel module, {_BY_HAND}",
    ),
    "NVML_ERROR_GPU_IS_LOST": (
        "A GPU does not answer any more",
        f"look for Xid errors in the kernel log and restart the machine, {_BY_HAND}",
    ),
}
"""NVML's error, what it means here, and the next step; the codes are looked up in the library itself."""


class DetectedGPU(Value):
    """One GPU as the driver reports it; None where it does not."""

    index: int
    name: str
    uuid: str
    capability: Capability
    memory_total_bytes: int | None
    """None where GPU and CPU share one memory, of which NVML knows nothing (GB10)."""
    memory_used_bytes: int | None
    """What the driver and all processes hold at this moment."""
    processes: int | None
    """Processes that compute on it; None where the driver does not tell."""
    mig_enabled: bool = False


class DetectedSystem(Value):
    """The driver and every GPU that it shows, at least one."""

    driver_version: str
    cuda_version: str
    """Newest CUDA that the driver supports: `13.0`."""
    gpus: tuple[DetectedGPU, ...]

    @property
    def is_uniform(self) -> bool:
        """True where all GPUs are of one kind, as one vLLM replica needs them."""
        return len({(gpu.name, gpu.memory_total_bytes) for gpu in self.gpus}) == 1

    @property
    def reserved_bytes(self) -> int:
        """Bytes that the fullest GPU does not have for vLLM now."""
        return max(gpu.memory_used_bytes or 0 for gpu in self.gpus)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a plan for these GPUs must know, a line each; empty on an ordinary machine."""
        mig = [gpu.index for gpu in self.gpus if gpu.mig_enabled]
        unified = [gpu.index for gpu in self.gpus if gpu.memory_total_bytes is None]
        names = sorted({gpu.name for gpu in self.gpus})
        lines = {
            "{} in MIG mode, so vLLM sees one instance: name it, like --gpu 'H100 MIG 1g.10gb'.": mig,
            "{} without memory that NVML reports (unified memory): name it with --gpu or --vram-gb.": unified,
        }
        differ = f"The GPUs differ ({', '.join(names)}): choose one kind with CUDA_VISIBLE_DEVICES and --gpu."
        stated = tuple(line.format(_gpus(indices)) for line, indices in lines.items() if indices)
        return stated if self.is_uniform else (*stated, differ)


def detect(nvml: Any = None) -> DetectedSystem:
    """Driver and GPUs of this machine; `nvml` is the library object, pynvml by default.

    Raises:
        HardwareDetectionError: no driver, no GPU, no permission, or a driver that fails.
    """
    library = import_module("pynvml") if nvml is None else nvml
    with _explained(library):
        library.nvmlInit()
        try:
            return _system(library)
        finally:
            library.nvmlShutdown()


def _system(nvml: Any) -> DetectedSystem:
    cuda = nvml.nvmlSystemGetCudaDriverVersion_v2()  # 13020 is CUDA 13.2
    driver = _text(nvml.nvmlSystemGetDriverVersion())
    count = nvml.nvmlDeviceGetCount()
    if not count:
        raise HardwareDetectionError(
            f"NVIDIA driver {driver} runs, but shows no GPU: check that one is plugged in and passed"
            f" into this container, {_BY_HAND}."
        )
    return DetectedSystem(
        driver_version=driver,
        cuda_version=f"{cuda // 1000}.{cuda % 1000 // 10}",
        gpus=tuple(_gpu(nvml, index) for index in range(count)),
    )


def _gpu(nvml: Any, index: int) -> DetectedGPU:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
    memory = _if_supported(nvml, nvml.nvmlDeviceGetMemoryInfo, handle)
    processes = _if_supported(nvml, nvml.nvmlDeviceGetComputeRunningProcesses, handle)
    mig = _if_supported(nvml, nvml.nvmlDeviceGetMigMode, handle)
    return DetectedGPU(
        index=index,
        name=_text(nvml.nvmlDeviceGetName(handle)),
        uuid=_text(nvml.nvmlDeviceGetUUID(handle)),
        capability=Capability(major * 10 + minor),
        memory_total_bytes=None if memory is None else int(memory.total),
        memory_used_bytes=None if memory is None else int(memory.used),
        processes=None if processes is None else len(processes),
        mig_enabled=mig is not None and mig[0] == nvml.NVML_DEVICE_MIG_ENABLE,
    )


def _if_supported(nvml: Any, query: Any, handle: Any) -> Any:
    """What `query` answers; None where this GPU or this driver has no such answer."""
    try:
        return query(handle)
    except nvml.NVMLError as error:
        if error.value in {nvml.NVML_ERROR_NOT_SUPPORTED, nvml.NVML_ERROR_FUNCTION_NOT_FOUND}:
            return None
        raise


@contextmanager
def _explained(nvml: Any) -> Iterator[None]:
    """Every failure of NVML as a HardwareDetectionError with its next step."""
    try:
        yield
    except nvml.NVMLError as error:
        for name, (meaning, step) in _NEXT_STEPS.items():
            if error.value == getattr(nvml, name):
                raise HardwareDetectionError(f"{meaning}: {step}.") from error
        raise HardwareDetectionError(
            f"The NVIDIA driver failed (NVML error {error.value}: {error}): see the kernel log, {_BY_HAND}."
        ) from error


def _text(value: str | bytes) -> str:
    """NVML's strings: bytes in some releases of the binding."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _gpus(indices: list[int]) -> str:
    return f"GPU {', '.join(map(str, indices))} {'is' if len(indices) == 1 else 'are'}"
