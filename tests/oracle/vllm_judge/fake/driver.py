"""NVML's answers: vLLM chooses its platform by the device count, and reads capability, name and memory here."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import types

from vllm_judge.fake.card import CARD

_NAME = "vllm.third_party.pynvml"


class NVMLError(Exception):
    """What pynvml raises; here never."""


class _Pynvml(types.ModuleType):
    """Every other function of pynvml answers 0."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_args, **_kwargs: 0


def _memory(_handle):
    return types.SimpleNamespace(total=CARD.total_bytes, free=CARD.total_bytes, used=0)


_ANSWERS = {
    "nvmlInit": lambda: None,
    "nvmlShutdown": lambda: None,
    "nvmlDeviceGetCount": lambda: CARD.count,
    "nvmlDeviceGetHandleByIndex": lambda _index: 0,
    "nvmlDeviceGetCudaComputeCapability": lambda _handle: CARD.capability,
    "nvmlDeviceGetName": lambda _handle: CARD.name,
    "nvmlDeviceGetP2PStatus": lambda *_args: 0,
    "nvmlDeviceGetUUID": lambda _handle: "GPU-0",
    "nvmlDeviceGetNumaNodeId": lambda _handle: 0,
    "nvmlSystemGetDriverVersion": lambda: "580.0",
    "nvmlDeviceGetMemoryInfo": _memory,
}


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Brings the stand-in by the usual way of import, so that its parent package is there and has it."""

    def find_spec(self, name, _path=None, _target=None):
        return importlib.machinery.ModuleSpec(name, self) if name in {_NAME, "pynvml"} else None

    def create_module(self, spec):
        module = _Pynvml(spec.name)
        for name in ("NVMLError", "NVMLError_NotSupported", "NVMLError_LibraryNotFound"):
            setattr(module, name, NVMLError)
        module.NVML_P2P_CAPS_INDEX_NVLINK, module.NVML_P2P_STATUS_OK = 2, 0
        for name, answer in _ANSWERS.items():
            setattr(module, name, answer)
        module.__file__ = "stand-in"
        return module

    def exec_module(self, module):
        pass


def install():
    """Put the stand-in where vLLM looks for pynvml."""
    sys.meta_path.insert(0, _Finder())
