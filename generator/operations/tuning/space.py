"""The values that are searched: around the plan, and nothing that the user decided."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from generator.errors import RequestError
from generator.models.engine import Engine
from generator.models.measured import layout_key
from generator.models.plan import Plan
from generator.models.tuning import Knob, Option

_SEQUENCES = (0.5, 2, 0.25)
"""Shares of the planned sequences: a step with fewer is shorter, one with more admits what would wait."""
_TOKENS = (0.5, 2, 4)
"""Shares of the planned tokens of a step: more read prompts sooner, fewer let those who decode wait less."""
_LEAST_TOKENS = 256
_GRAPHS = (
    Option(word="planned"),
    Option(word="pieces", values={"compilation_config": {"cudagraph_mode": "PIECEWISE"}}),
    Option(word="none", values={"enforce_eager": True}),
)
_GRAPH_ARGUMENTS = frozenset({"enforce_eager", "compilation_config", "optimization_level"})
_RANKS = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")
_SIZES = (*_RANKS, "enable_expert_parallel", "decode_context_parallel_size")


def space_of(plan: Plan, stated: Mapping[str, tuple[Any, ...]], engine: Engine) -> tuple[Knob, ...]:
    """What is searched from `plan` on: the stated values alone, else those that matter and the user left open.

    Raises:
        RequestError: the release has no such argument, or nothing is left to search.
    """
    knobs = tuple(_stated(plan, stated, engine) if stated else _around(plan))
    if not any(len(knob.options) > 1 for knob in knobs):
        if stated:
            raise RequestError(f"the plan has {', '.join(stated)} so already: name other values")
        own = ", ".join(sorted(plan.inputs.overrides)) or "one value each"
        raise RequestError(
            f"nothing is left to search beside your own values ({own}): name some, like --values max_num_seqs=16,64"
        )
    return knobs


def _stated(plan: Plan, stated: Mapping[str, tuple[Any, ...]], engine: Engine) -> Iterator[Knob]:
    for name, values in stated.items():
        if name not in engine.by_name:
            raise RequestError(f"--values {name}: vLLM {engine.version} has no such argument")
        yield _single(name, (plan.engine.get(name), *values))


def _around(plan: Plan) -> Iterator[Knob]:
    """The few values that matter most, from the plan's own on."""
    own, planned = plan.inputs.overrides, plan.engine
    if "max_num_seqs" not in own and planned.get("max_num_seqs"):
        yield _single("max_num_seqs", _shares(planned["max_num_seqs"], _SEQUENCES, least=1))
    if "max_num_batched_tokens" not in own and planned.get("max_num_batched_tokens"):
        shares = _shares(planned["max_num_batched_tokens"], _TOKENS, least=_LEAST_TOKENS)
        yield _single("max_num_batched_tokens", shares)
    if own.keys().isdisjoint(_SIZES):
        yield _layouts(plan)
    if own.keys().isdisjoint(_GRAPH_ARGUMENTS) and planned.keys().isdisjoint(_GRAPH_ARGUMENTS):
        yield Knob(name="graphs", options=_GRAPHS)


def _shares(planned: int, shares: Iterable[float], *, least: int) -> tuple[int, ...]:
    return (planned, *(max(least, int(planned * share)) for share in shares))


def _single(name: str, values: Iterable[Any]) -> Knob:
    """One argument; None, which is nobody's word for a value, stands for what vLLM does by itself."""
    words = {json.dumps(value): value for value in values}
    return Knob(name=name, options=tuple(Option(word=word, values={name: value}) for word, value in words.items()))


def _layouts(plan: Plan) -> Knob:
    """The planned layout, the second best, and those that beat it in something, of one server each."""
    others = [one.layout for one in plan.alternatives if one.servers == 1]
    second = [plan.runner_up.layout] if plan.runner_up else []
    found = {layout_key(one): one for one in (plan.layout, *second, *others)}
    named = [name for name in _SIZES if name in _RANKS or len({getattr(one, name) for one in found.values()}) > 1]
    return Knob(
        name="layout",
        options=tuple(
            Option(word=word, values={name: getattr(one, name) for name in named}) for word, one in found.items()
        ),
    )
