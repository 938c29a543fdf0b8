"""Which kernels of experts a named `moe_backend` brings: vLLM's own choice, asked again for every name."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import get_args

from vllm.config import set_current_vllm_config
from vllm.config.kernel import MoEBackend
from vllm_judge import building
from vllm_judge import question as whole
from vllm_judge.command import configured
from vllm_judge.refusal import RefusedError, described

_ORACLE = "vllm.model_executor.layers.fused_moe.oracle."


def answered(question):
    """The answer of the layers alone: a verdict, and what `by_name` finds."""
    answer = {"id": question["id"], "level": "start"}
    whole._take_card(question)  # noqa: SLF001 - the card of every other question
    try:
        answer["experts"] = by_name(configured(question, answer), answer)
        answer["verdict"] = "accepted"
    except RefusedError as refused:
        answer.update(verdict="refused", level=refused.level, error=refused.error)
    except BaseException as error:  # noqa: BLE001 - whatever ends vLLM's start is the answer, SystemExit too
        answer.update(verdict="refused", error=described(error))
    return answer


def by_name(config, answer):
    """What the first layer of experts says to each name of a release, and which one it takes unasked.

    {"names": {name: None where it takes it, else vLLM's reason}, "chosen": name, "chosen_expert_parallel": name}.
    """
    with _watched() as calls:
        building.model_of(config, 0, answer)
    if not calls:
        return {}
    with set_current_vllm_config(config):
        names = {name: _told(calls[0], name) for name in get_args(MoEBackend)}
        found = {"names": {name: told if isinstance(told, str) else None for name, told in names.items()}}
        found["chosen"] = _like(names)
        with _expert_parallel(_layer(calls[0])):
            found["chosen_expert_parallel"] = _like({name: _told(calls[0], name) for name in get_args(MoEBackend)})
    return found


def _like(names):
    """The name that brings what vLLM takes by itself; None where none does."""
    auto = names["auto"]
    same = (name for name, told in names.items() if name != "auto" and not isinstance(told, str) and told == auto)
    return next(same, None)


@contextmanager
def _expert_parallel(layer):
    """The layer as one of two ranks with whole experts has it."""
    before = layer.moe_parallel_config
    layer.moe_parallel_config = replace(before, use_ep=True, ep_size=2, tp_size=1)
    try:
        yield
    finally:
        layer.moe_parallel_config = before


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


def _layer(call):
    """The layer's configuration, which the choice is asked with."""
    _, arguments, named = call
    return arguments[0] if arguments else next(named[key] for key in ("config", "moe_config") if key in named)


def _told(call, name):
    """What the choice brings under a name, or vLLM's reason."""
    function, arguments, named = call
    layer = _layer(call)
    before = layer.moe_backend
    layer.moe_backend = name
    try:
        return function(*arguments, **named)
    except Exception as error:  # noqa: BLE001 - whatever vLLM raises is its answer
        return str(error)[:300] or type(error).__name__
    finally:
        layer.moe_backend = before
