"""Several models on one host: which GPUs each takes, what share of them, and what all hold together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor
from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.models.hardware import GPU
from generator.models.interval import ByteInterval
from generator.models.overheads import OverheadTable
from generator.models.shared_host import Filled, HostPlan, Member, SharedHost
from generator.planning.memory import overhead
from generator.planning.memory.unbudgeted import outside_bytes
from generator.presenting.text import gib_text
from generator.units import GIB

if TYPE_CHECKING:
    from generator.planning.candidate import Candidate

    Places = Mapping[str, range]
    """GPUs of each model of a host, by its name."""

_HUNDREDTHS = 100
_VERDICTS, _RISKS = ("fits", "tight", "does_not_fit"), ("LOW", "MEDIUM", "HIGH")


def placed(host: SharedHost) -> dict[str, range]:
    """GPUs of every model: those that it names, else neighbours in a row on which the fewest models are.

    Raises:
        RequestError: it takes more than the host has.
    """
    taken = [0] * host.gpus
    found: dict[str, range] = {}
    for one in sorted(host.members, key=lambda one: one.first_gpu is None):
        count = one.request.gpus
        if (one.first_gpu or 0) + count > host.gpus:
            raise RequestError(
                f"{one.name} takes {count} GPUs from number {one.first_gpu or 0} on, and the host has {host.gpus}: "
                "raise `gpus` of the host, or lower the model's `gpus` or `first_gpu`"
            )
        starts = range(host.gpus - count + 1) if one.first_gpu is None else (one.first_gpu,)
        first = min(starts, key=lambda start: (max(taken[start : start + count]), start))
        found[one.name] = range(first, first + count)
        for index in found[one.name]:
            taken[index] += 1
    return found


def needed_bytes(option: Candidate) -> int:
    """Bytes of one GPU that a model needs at the high end: all but the cache, and a cache for its workload."""
    memory, load = option.memory, option.load
    fixed = sum(
        one.high
        for one in (
            memory.weights_bytes, memory.non_torch_bytes, memory.activation_peak_bytes, memory.cuda_graph_bytes,
        )
    )  # fmt: skip
    length = min(load.request_tokens, int(option.context.value))
    return fixed + max(load.concurrency * max(option.cache.request_bytes(length)), *option.needed_bytes)


def shares(host: SharedHost, places: Places, needs: Mapping[str, int], total_bytes: int) -> dict[str, float]:
    """Every model's share of its GPUs, in hundredths: what it states, else what is left, by need.

    Raises:
        RequestError: the stated shares of a GPU are more than there is, or leave others nothing.
    """
    most = 1 - host.reserve_gb * GIB / total_bytes
    if most <= 0:
        raise RequestError(
            f"reserve_gb {host.reserve_gb:g}: a {host.gpu} has {gib_text(total_bytes)}, so that others would hold all "
            "of it: give what they hold of each GPU, or name a larger one"
        )
    stated = {one.name: one.share for one in host.members if one.share is not None}
    found = dict(stated)
    left = [_left(index, places, stated, needs, most) for index in range(host.gpus)]
    for one in host.members:
        if one.share is None:
            own = min(left[index][one.name] for index in places[one.name])
            found[one.name] = floor(own * _HUNDREDTHS + 1e-9) / _HUNDREDTHS
    for index in range(host.gpus):
        _refuse_more(index, {name: found[name] for name in found if index in places[name]}, most)
    return found


def reserve_gb(share: float, gpu: GPU, unsure_bytes: int = 0) -> float:
    """GiB of a GPU that a share leaves to others and to its own doubt, rounded up to hundredths; 0 for all of it."""
    left = (1 - share) * gpu.memory_bytes + (unsure_bytes if share < 1 else 0)
    return ceil(left / GIB * _HUNDREDTHS - 1e-6) / _HUNDREDTHS


def held_bytes(option: Candidate, table: OverheadTable) -> ByteInterval:
    """Bytes of one GPU that a serving engine holds: what it requests, and what vLLM does not budget."""
    return option.memory.requested_bytes + outside_bytes(option.replica, table)


def together(host: SharedHost, gpu: GPU, members: Sequence[Member], table: OverheadTable) -> HostPlan:
    """The proof of the host: what the members of each GPU hold together, beside the GPU's own total."""
    total = overhead.device_total(gpu, table).low
    reserved = ceil(host.reserve_gb * GIB)
    filled = tuple(_filled(index, members, total, reserved) for index in range(host.gpus))
    risk = max((one.plan.feasibility.oom_risk for one in members), key=_RISKS.index)
    over = any(one.held_bytes.expected + reserved > one.total_bytes for one in filled)
    return HostPlan(
        gpu=gpu.name,
        members=tuple(members),
        gpus=filled,
        verdict=max((one.plan.feasibility.verdict for one in members), key=_VERDICTS.index),
        oom_risk="HIGH" if over else risk,
    )


def _left(
    index: int, places: Places, stated: Mapping[str, float], needs: Mapping[str, int], most: float
) -> dict[str, float]:
    """Shares of one GPU that the models have which state none, in proportion to what each needs."""
    here = [name for name, gpus in places.items() if index in gpus]
    left = most - sum(stated[name] for name in here if name in stated)
    open_ = {name: needs[name] for name in here if name not in stated}
    return {name: max(0.0, left) * need / sum(open_.values()) for name, need in open_.items()}


def _refuse_more(index: int, given: Mapping[str, float], most: float) -> None:
    told = " and ".join(f"{name} {share:g}" for name, share in given.items())
    empty = [name for name, share in given.items() if share <= 0]
    if empty:
        raise RequestError(f"GPU {index} has nothing left for {empty[0]} ({told}): lower the shares of the others")
    if sum(given.values()) > most + 1e-9:
        raise RequestError(
            f"the shares of GPU {index} come to {sum(given.values()):g} ({told}), and there is {most:.2f} of it: lower "
            "one, or put a model on another GPU with `first_gpu`"
        )


def _filled(index: int, members: Sequence[Member], total: int, reserved: int) -> Filled:
    here = [one for one in members if index in one.gpu_ids]
    return Filled(
        index=index,
        members=tuple(one.name for one in here),
        share=round(sum(one.share for one in here), 2),
        total_bytes=total,
        reserved_bytes=reserved,
        held_bytes=sum((one.held_bytes for one in here), ByteInterval.exact(0)),
    )


def overfull(filled: Filled) -> str:
    """What a GPU lacks for its members, in words; empty where it has enough."""
    short = filled.held_bytes.expected + filled.reserved_bytes - filled.total_bytes
    return f"GPU {filled.index} lacks {gib_text(short)} for {', '.join(filled.members)}" if short > 0 else ""
