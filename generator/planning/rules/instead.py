"""Layouts that start in place of one that does not: what a refusal names is tried by the same rules before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from generator.errors import RequestError

if TYPE_CHECKING:
    from generator.planning.replica import Replica

Rule = Callable[["Replica"], None]


def instead(start: Replica, rules: Sequence[Rule]) -> str:
    """The nearest layouts that the rules let start, as options; else what is left."""
    layout = start.layout
    words = []
    if start.architecture.is_moe and _starts(start, rules, enable_expert_parallel=True):
        words.append("--set enable_expert_parallel=true")
    fewer = _first(start, rules, _fewer(start))
    words += [fewer] if fewer else []
    rest = start.cluster.total_gpus // (layout.pipeline_parallel_size * layout.data_parallel_size)
    more = ({"tensor_parallel_size": size} for size in range(layout.tensor_parallel_size + 1, rest + 1))
    words += [above] if (above := _first(start, rules, more)) else []
    return f"use {', or '.join(words)}" if words else "choose another checkpoint, or other GPUs"


def _fewer(start: Replica) -> Iterator[dict[str, int]]:
    """Smaller tensor-parallel sizes, each with stages for the other ranks before it is tried without."""
    layout, world = start.layout, start.layout.replica_ranks
    for size in range(layout.tensor_parallel_size - 1, 0, -1):
        if world % size == 0:
            yield {"tensor_parallel_size": size, "pipeline_parallel_size": world // size}
        yield {"tensor_parallel_size": size}


def _first(start: Replica, rules: Sequence[Rule], sizes: Iterator[dict[str, int]]) -> str:
    """The first of these layouts that starts, as options; empty for none."""
    found = next((one for one in sizes if _starts(start, rules, **one)), {})
    return " ".join(f"--{name.replace('_', '-')} {size}" for name, size in found.items())


def _starts(start: Replica, rules: Sequence[Rule], **sizes: int) -> bool:
    layout = start.layout.model_copy(update=sizes)
    if layout == start.layout:
        return False
    try:
        for rule in rules:
            rule(start.changed(layout=layout))
    except RequestError:
        return False
    return True
