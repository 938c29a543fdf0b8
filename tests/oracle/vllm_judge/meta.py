"""Layers that ask for a CUDA device by name get the meta device."""

from __future__ import annotations

import torch
from torch.overrides import TorchFunctionMode

_INDEX_TABLES = (torch.full, torch.arange)
_WHOLE = (torch.int32, torch.int64)


class ToMeta(TorchFunctionMode):
    """Everything lies on the meta device, but small tables of indices that layers read while they are built."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        del types
        asked = dict(kwargs or {})
        if isinstance(asked.get("device"), int) or str(asked.get("device", "")).startswith("cuda"):
            asked["device"] = "meta"
        if function in _INDEX_TABLES and asked.get("dtype") in _WHOLE:
            asked["device"] = "cpu"
        if function is torch.Tensor.pin_memory:
            return args[0]
        if asked.pop("pin_memory", None) and "device" not in asked:
            asked["device"] = "cpu"
        try:
            return function(*args, **asked)
        except (RuntimeError, ValueError) as error:  # an index table meets a parameter: both to meta
            if "device" not in str(error):
                raise
            return function(*_moved(tuple(args)), **{name: _moved(value) for name, value in asked.items()})


def _moved(value):
    if isinstance(value, torch.Tensor):
        return value.to("meta") if value.device.type == "cpu" else value
    return type(value)(map(_moved, value)) if type(value) in {list, tuple} else value
