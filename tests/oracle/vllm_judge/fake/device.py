"""torch.cuda, torch.accelerator and Triton's driver as a machine with that card has them."""

from __future__ import annotations

import types
from unittest.mock import MagicMock

import torch
from vllm_judge.fake.card import CARD


class _Stream:
    """A stream or an event: every method gives back the stream itself."""

    def __init__(self, *_args, **_kwargs):
        pass

    def __getattr__(self, _name):
        return lambda *_args, **_kwargs: self

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        pass


def _nothing(*_args, **_kwargs):
    """What only has an effect on a device."""


def _memory(*_args):
    return CARD.total_bytes, CARD.total_bytes


def _properties(*_args):
    of_multiprocessor, of_block = CARD.shared_memory
    return types.SimpleNamespace(
        name=CARD.name,
        major=CARD.capability[0],
        minor=CARD.capability[1],
        total_memory=CARD.total_bytes,
        multi_processor_count=CARD.multiprocessors,
        is_integrated=False,
        shared_memory_per_multiprocessor=of_multiprocessor,
        shared_memory_per_block_optin=of_block,
        warp_size=32,
        L2_cache_size=50 << 20,
        gcnArchName="",
        regs_per_multiprocessor=65536,
        max_threads_per_multi_processor=2048,
    )


_CUDA = {
    "is_available": lambda: True,
    "_is_compiled": lambda: True,
    "is_initialized": lambda: False,
    "device_count": lambda: CARD.count,
    "_device_count_nvml": lambda: CARD.count,
    "current_device": lambda: 0,
    "get_device_capability": lambda *_args: CARD.capability,
    "get_device_name": lambda *_args: CARD.name,
    "get_device_properties": _properties,
    "mem_get_info": _memory,
    "_lazy_init": _nothing,
    "Stream": _Stream,
    "Event": _Stream,
    "current_stream": _Stream,
    "default_stream": _Stream,
    "stream": lambda stream: stream,
}
_ACCELERATOR = {
    "is_available": lambda: True,
    "device_count": lambda: CARD.count,
    "current_device_index": lambda: 0,
    "current_stream": _Stream,
    "get_memory_info": _memory,
    "current_accelerator": lambda *_args, **_kwargs: torch.device("cuda"),
}
_EFFECTS = {
    torch.cuda: ("set_device", "synchronize", "empty_cache", "reset_peak_memory_stats"),
    torch.accelerator: ("set_device_index", "synchronize", "empty_cache", "reset_peak_memory_stats"),
}


def install():
    """Replace what asks the device."""
    for name, answer in _CUDA.items():
        setattr(torch.cuda, name, answer)
    for name, answer in _ACCELERATOR.items():
        setattr(torch.accelerator, name, answer)
    for module, names in _EFFECTS.items():
        for name in names:
            setattr(module, name, _nothing)
    torch.version.cuda = "13.0"
    _install_triton()


def _install_triton():
    """Kernels are decorated when they are imported, and ask the driver for its target then."""
    import triton  # noqa: PLC0415 - after torch.cuda
    from triton.backends.compiler import GPUTarget  # noqa: PLC0415

    driver = MagicMock()
    driver.get_current_target.side_effect = lambda: GPUTarget("cuda", CARD.capability[0] * 10 + CARD.capability[1], 32)
    driver.get_current_device.return_value = 0
    triton.runtime.driver.set_active(driver)
