"""Findings about a host that several deployments share: each has its share, its GPUs and its port."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from generator.catalogue.gpus import find_gpu
from generator.errors import GeneratorError, RenderError
from generator.models.shared_host import Place
from generator.operations.hosting import BESIDE
from generator.operations.look import Look, Severity, says
from generator.rendering.answers import read
from generator.units import GIB

if TYPE_CHECKING:
    from generator.operations.state import State
    from generator.rendering.answers import Answers

_SLACK = 0.005
"""Shares are kept as gibibytes in hundredths."""


class _Placed(NamedTuple):
    """What one deployment of a host takes."""

    name: str
    gpus: tuple[str, ...]
    share: float
    port: int


@says("The gateway serves deployments/{}: generate it again, or take it from the answer `host`")
def _lost_neighbour(state: State) -> Iterator[str]:
    for one in _place(state.answers).beside:
        if _neighbour(state, one.name) is None:
            yield f"{one.name}, which is no deployment here"


@says("The deployments of this host hold more of {}: raise --reserve-gb of one by as much, or put it on another GPU")
def _overfull_gpu(state: State) -> Iterator[str]:
    shares: dict[str, dict[str, float]] = defaultdict(dict)
    for one in _all(state):
        for index in one.gpus:
            shares[index][one.name] = one.share
    for index, held in sorted(shares.items()):
        if len(held) > 1 and sum(held.values()) > 1 + _SLACK * len(held):
            told = ", ".join(f"{name} {share:.2f}" for name, share in held.items())
            yield f"GPU {index} than there is ({told})"


@says("The gateway's list and the deployment differ in {}: change the answer `host` of both to the same")
def _moved_neighbour(state: State) -> Iterator[str]:
    listed = {one.name: one for one in _place(state.answers).beside}
    for one in _all(state)[1:]:
        told = listed[one.name]
        if (told.port, told.gpu_ids) != (one.port, one.gpus):
            yield f"GPUs or port of {one.name}"


def _all(state: State) -> list[_Placed]:
    """The deployment and its neighbours; only itself where there are none."""
    beside = _place(state.answers).beside
    found = [(one.name, _neighbour(state, one.name)) for one in beside]
    named = [(str(state.answers.values.get("service")), state.answers), *found] if beside else []
    return [_placed(name, answers) for name, answers in named if answers is not None]


def _neighbour(state: State, name: str) -> Answers | None:
    try:
        return read(state.place / BESIDE / name, updated=False)
    except GeneratorError:
        return None


def _placed(name: str, answers: Answers) -> _Placed:
    place, values = _place(answers), answers.values
    try:
        total = (float(values.get("vram_gb") or 0) * GIB) or find_gpu(str(values.get("gpu"))).memory_bytes
        share = 1 - float(values.get("reserve_gb") or 0) * GIB / total
    except GeneratorError:
        share = 0.0
    return _Placed(name, place.gpu_ids or answers.plan.runtime.gpu_ids, share, place.port)


def _place(answers: Answers) -> Place:
    try:
        return answers.place
    except RenderError:
        return Place()


CHECKS: tuple[tuple[Severity, Look], ...] = (
    ("error", _lost_neighbour),
    ("error", _overfull_gpu),
    ("warning", _moved_neighbour),
)
"""What is looked at in a deployment that others are beside."""
