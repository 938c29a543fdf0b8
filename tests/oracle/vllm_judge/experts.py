"""Which kernels of experts a named `moe_backend` brings: vLLM's own choice, asked again for every name."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import get_args

from vllm.config import set_current_vllm_config
from vllm.config.kernel import MoEBackend
from vllm_judge import building

_ORACLE = "vllm.model_executor.layers.fused_moe.oracle."


def by_name(config, answer):
    """What the first layer of experts says to each name of a release: None where it takes it, else vLLM's reason."""
    with _watched() as calls:
        building.model_of(config, 0, answer)
    with set_current_vllm_config(config):
        return {name: _reason(*calls[0], name) for name in get_args(MoEBackend)} if calls else {}


@contextmanager
def _watched():
    """Every call of a choice of kernels while the layers are built, as (function, arguments, named arguments)."""
    calls, places = [], _places()
    for module, name, function in places:
        setattr(module, name, _watching(function, calls))
    try:
        yield calls
    finally:
        for module, name, function in places:
            setattr(module, name, function)


def _places():
    """Where a choice is called by its name: (module, name, function)."""
    return [
        (module, name, function)
        for module in list(sys.modules.values())
        for name, function in list(vars(module).items())
        if name.startswith("select_") and name.endswith("_moe_backend")
        and str(getattr(function, "__module__", "")).startswith(_ORACLE)
    ]  # fmt: skip


def _watching(function, calls):
    def chosen(*arguments, **named):
        calls.append((function, arguments, named))
        return function(*arguments, **named)

    return chosen


def _reason(function, arguments, named, name):
    config = arguments[0] if arguments else next(named[key] for key in ("config", "moe_config") if key in named)
    before = config.moe_backend
    config.moe_backend = name
    try:
        function(*arguments, **named)
    except Exception as error:  # noqa: BLE001 - whatever vLLM raises is its answer
        return str(error)[:300] or type(error).__name__
    finally:
        config.moe_backend = before
    return None
