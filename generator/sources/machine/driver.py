"""driver(): NVIDIA's driver, its GPUs, who holds their memory, and what connects them."""

from importlib import import_module
from itertools import combinations
from pathlib import Path
from typing import Any

from generator.errors import HardwareDetectionError
from generator.sources.machine.facts import Driver, Health, Holder, Unseen
from generator.sources.nvml import detect

_ABSENT = "libnvidia-ml was not found"


def driver(nvml: Any = None) -> Driver | Unseen:
    """What the driver says of every GPU; `nvml` is the library object, pynvml by default."""
    library = import_module("pynvml") if nvml is None else nvml
    try:
        system = detect(library)
    except HardwareDetectionError as error:
        said = str(error).partition(", or describe the GPUs")[0]
        return Unseen(why=said, broken=_ABSENT not in said)
    library.nvmlInit()
    try:
        indices = [gpu.index for gpu in system.gpus]
        handles = {index: library.nvmlDeviceGetHandleByIndex(index) for index in indices}
        return Driver(
            system=system,
            health=tuple(_health(library, index, handle) for index, handle in handles.items()),
            nvlinked=_nvlinked(library, handles),
        )
    finally:
        library.nvmlShutdown()


def _health(nvml: Any, index: int, handle: Any) -> Health:
    persistence = _asked(nvml, nvml.nvmlDeviceGetPersistenceMode, handle)
    ecc = _asked(nvml, nvml.nvmlDeviceGetEccMode, handle)
    errors = _asked(
        nvml,
        nvml.nvmlDeviceGetTotalEccErrors,
        handle,
        nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED,
        nvml.NVML_VOLATILE_ECC,
    )
    processes = _asked(nvml, nvml.nvmlDeviceGetComputeRunningProcesses, handle) or []
    return Health(
        index=index,
        holders=tuple(_holder(nvml, one) for one in processes),
        persistence=None if persistence is None else bool(persistence),
        ecc=None if ecc is None else bool(ecc[0]),
        uncorrected_errors=None if errors is None else int(errors),
    )


def _holder(nvml: Any, process: Any) -> Holder:
    pid = getattr(process, "pid", None)
    held = getattr(process, "usedGpuMemory", None)
    return Holder(pid=pid, name=_name(nvml, pid), memory_bytes=None if held is None else int(held))


def _name(nvml: Any, pid: int | None) -> str | None:
    """A process's name as the kernel has it; a container's processes are seen from its host alone."""
    if pid is None:
        return None
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        said = _asked(nvml, nvml.nvmlSystemGetProcessName, pid)
        text = said.decode(errors="replace") if isinstance(said, bytes) else said
        return Path(text).name if text else None


def _nvlinked(nvml: Any, handles: dict[int, Any]) -> tuple[tuple[int, int], ...] | None:
    """Pairs that copy to each other over NVLink, a switch between them or not."""
    pairs = list(combinations(sorted(handles), 2))
    said = {
        (one, other): _asked(
            nvml, nvml.nvmlDeviceGetP2PStatus, handles[one], handles[other], nvml.NVML_P2P_CAPS_INDEX_NVLINK
        )
        for one, other in pairs
    }
    if pairs and all(status is None for status in said.values()):
        return None
    return tuple(pair for pair, status in said.items() if status == nvml.NVML_P2P_STATUS_OK)


def _asked(nvml: Any, query: Any, *words: Any) -> Any:
    """What an optional question answers; None where this GPU, this driver or this user gets no answer."""
    try:
        return query(*words)
    except nvml.NVMLError:
        return None
