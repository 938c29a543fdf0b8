"""What NVML says, and what each failure means; the library object is a stand-in with NVML's functions."""

# ruff: noqa: N802, D102 - the names are NVML's

from types import SimpleNamespace

import pynvml
import pytest

from generator.errors import HardwareDetectionError
from generator.sources.nvml import detect

H100 = {"name": "NVIDIA H100 80GB HBM3", "total": 85_520_809_984, "used": 608_567_296, "capability": (9, 0)}
GB10 = {"name": "NVIDIA GB10", "total": pynvml.NVML_ERROR_NOT_SUPPORTED, "used": 0, "capability": (12, 1)}


class Library:
    """NVML over a list of GPUs; a value that is one of NVML's error codes is raised instead."""

    def __init__(self, gpus=(), *, fails=None, driver="580.95.05", cuda=13000):
        self.gpus, self.fails, self.driver, self.cuda, self.open = gpus, fails, driver, cuda, 0

    def __getattr__(self, name):
        return getattr(pynvml, name)  # its constants and NVMLError

    def nvmlInit(self):
        if self.fails is not None:
            raise pynvml.NVMLError(self.fails)
        self.open += 1

    def nvmlShutdown(self):
        self.open -= 1

    def nvmlSystemGetDriverVersion(self):
        return self.driver

    def nvmlSystemGetCudaDriverVersion_v2(self):
        return self.cuda

    def nvmlDeviceGetCount(self):
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index):
        return index

    def nvmlDeviceGetName(self, index):
        return self.gpus[index]["name"]

    def nvmlDeviceGetUUID(self, index):
        return f"GPU-{index:08d}"

    def nvmlDeviceGetCudaComputeCapability(self, index):
        return self.gpus[index]["capability"]

    def nvmlDeviceGetMemoryInfo(self, index):
        gpu = self.gpus[index]
        return SimpleNamespace(total=self.answer(gpu["total"]), used=gpu["used"], free=0)

    def nvmlDeviceGetComputeRunningProcesses(self, index):
        return [None] * self.answer(self.gpus[index].get("processes", 0))

    def nvmlDeviceGetMigMode(self, index):
        return [self.answer(self.gpus[index].get("mig", pynvml.NVML_ERROR_NOT_SUPPORTED)), 0]

    @staticmethod
    def answer(value):
        if value in {pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_GPU_IS_LOST}:
            raise pynvml.NVMLError(value)
        return value


def test_every_gpu_is_reported_as_the_driver_tells_it():
    system = detect(Library([H100 | {"processes": 2}, H100]))
    assert (system.driver_version, system.cuda_version, len(system.gpus)) == ("580.95.05", "13.0", 2)
    first = system.gpus[0]
    assert (first.index, first.name, first.uuid, first.capability) == (0, H100["name"], "GPU-00000000", 90)
    assert (first.memory_total_bytes, first.memory_used_bytes, first.processes) == (
        H100["total"],
        H100["used"],
        2,
    )
    assert system.is_uniform
    assert system.notes == ()


def test_cuda_version_is_read_from_nvmls_number():
    """NVML's 12080 is CUDA 12.8 (nvml.h: major * 1000 + minor * 10)."""
    assert detect(Library([H100], cuda=12080)).cuda_version == "12.8"


def test_older_bindings_answer_in_bytes():
    system = detect(Library([H100 | {"name": b"Tesla T4"}], driver=b"535.1"))
    assert (system.driver_version, system.gpus[0].name) == ("535.1", "Tesla T4")


def test_the_fullest_gpu_says_what_is_reserved():
    assert detect(Library([H100, H100 | {"used": 9_000_000_000}])).reserved_bytes == 9_000_000_000


def test_mig_mode_is_said():
    system = detect(Library([H100 | {"mig": pynvml.NVML_DEVICE_MIG_ENABLE}, H100 | {"mig": 0}]))
    assert [gpu.mig_enabled for gpu in system.gpus] == [True, False]
    assert "GPU 0 is in MIG mode" in system.notes[0]


def test_gpus_of_different_kinds_are_said():
    system = detect(Library([H100, H100 | {"name": "NVIDIA L4"}]))
    assert not system.is_uniform
    assert "NVIDIA H100 80GB HBM3, NVIDIA L4" in system.notes[0]


def test_unified_memory_is_said_and_not_guessed():
    system = detect(Library([GB10]))
    assert system.gpus[0].memory_total_bytes is None
    assert (system.gpus[0].capability, system.reserved_bytes) == (121, 0)
    assert "unified memory" in system.notes[0]


FAILURES = {
    pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: "No NVIDIA driver is installed",
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED: "not running",
    pynvml.NVML_ERROR_NO_PERMISSION: "may not ask",
    pynvml.NVML_ERROR_OPERATING_SYSTEM: "blocked",
    pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: "different versions",
    pynvml.NVML_ERROR_GPU_IS_LOST: "does not answer",
    pynvml.NVML_ERROR_UNKNOWN: "NVML error 999",
}


@pytest.mark.parametrize(("code", "said"), FAILURES.items())
def test_each_failure_has_its_own_line_and_next_step(code, said):
    with pytest.raises(HardwareDetectionError, match=said) as caught:
        detect(Library([H100], fails=code))
    assert "--gpu" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.status == 4


def test_a_driver_without_a_gpu_is_another_error():
    with pytest.raises(HardwareDetectionError, match=r"driver 580\.95\.05 runs, but shows no GPU"):
        detect(Library([]))


def test_the_library_is_shut_down_also_after_a_failure():
    library = Library([H100 | {"total": pynvml.NVML_ERROR_GPU_IS_LOST}])
    with pytest.raises(HardwareDetectionError, match="does not answer"):
        detect(library)
    assert library.open == 0
