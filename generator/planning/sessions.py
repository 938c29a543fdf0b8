"""What of live sessions stays cached, and which limit bounds their number."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from generator.models.estimate import LoadPoint
from generator.models.hardware import GPU
from generator.models.sessions import Bound, Ceiling, KeptSessions, Offload, Sessions
from generator.planning.memory.offload import stored_blocks
from generator.planning.speed.rates import link_bytes_per_s

if TYPE_CHECKING:
    from generator.planning.candidate import Candidate

_MS = 1000


def blocks_of(asked: Sessions, option: Candidate) -> tuple[int, int]:
    """Blocks that all sessions share, and those that one has for itself at its last turn."""
    shared = stored_blocks(option, asked.shared_tokens)
    return shared, max(1, stored_blocks(option, asked.last_tokens) - shared)


def kept(asked: Sessions, option: Candidate, buffer: Offload | None) -> KeptSessions:
    """Whole sessions that each cache keeps; one block of vLLM's pool is never used."""
    shared, own = blocks_of(asked, option)
    engines = option.layout.data_parallel_size
    on_gpu = max(0, option.sure_blocks - 1 - shared) // own
    on_host = max(0, (buffer.chunks if buffer else 0) - shared) // own
    return KeptSessions(gpu=on_gpu * engines, host=on_host * engines)


def chunks_for(asked: Sessions, option: Candidate) -> int:
    """Chunks of one engine that hold its part of all live sessions at their last turn, and what they share."""
    shared, own = blocks_of(asked, option)
    return shared + own * ceil(asked.live / option.layout.data_parallel_size)


def carried(asked: Sessions, points: Sequence[LoadPoint]) -> tuple[tuple[int, float], ...]:
    """Requests at once, and live sessions that they come to: each is busy for an answer's time, then pauses."""
    return tuple((one.concurrency, _live(asked, one)) for one in points if one.estimate.e2e_ms.mean > 0)


def busy(asked: Sessions, points: Sequence[LoadPoint]) -> int:
    """Sessions that are answered at once; all that are live where no speed is known or even the most do not do."""
    before = (0, 0.0)
    for count, live in carried(asked, points):
        if live >= asked.live:
            share = (asked.live - before[1]) / (live - before[1]) if live > before[1] else 1.0
            return max(1, min(asked.live, ceil(before[0] + share * (count - before[0]))))
        before = count, live
    return asked.live


class Planned(NamedTuple):
    """A plan for sessions, as far as their number hangs on it."""

    option: Candidate
    gpu: GPU
    points: Sequence[LoadPoint]
    """What it delivers under several loads; empty where no speed is known."""
    buffer: Offload | None


def ceilings(asked: Sessions, planned: Planned) -> tuple[Ceiling, ...]:
    """The most live sessions by cache, by computing, and by the link to the host's memory."""
    held = kept(asked, planned.option, planned.buffer)
    where = "the host's memory" if held.host > held.gpu else "the GPUs' cache"
    cache = Ceiling(limit="cache", sessions=held.most, why=f"what {where} keeps through a pause")
    return (cache, _computing(asked, planned.points), _bandwidth(asked, planned))


def binding(asked: Sessions, found: Sequence[Ceiling]) -> Bound | None:
    """The lowest ceiling below the live sessions."""
    low = [one for one in found if one.sessions is not None and one.sessions < asked.live]
    return min(low, key=lambda one: one.sessions or 0).limit if low else None


def _live(asked: Sessions, point: LoadPoint) -> float:
    return point.concurrency * (1 + asked.pause_s * _MS / point.estimate.e2e_ms.mean)


def _computing(asked: Sessions, points: Sequence[LoadPoint]) -> Ceiling:
    """Where turns begin to wait: the most turns a second, each taking an unloaded answer's time and its pause.

    The saturation point of a closed system (Denning and Buzen, The Operational Analysis of Queueing Network Models, ACM
    Computing Surveys 10(3), 1978).
    """
    if not points:
        return Ceiling(limit="compute", sessions=None, why="the speed of this model on these GPUs is not known")
    most = max(one.estimate.requests_per_s.mean for one in points)
    why = f"{most:.3g} turns a second; with more, turns wait"
    return Ceiling(limit="compute", sessions=int(most * _cycle_s(asked, points)), why=why)


def _cycle_s(asked: Sessions, points: Sequence[LoadPoint]) -> float:
    """Seconds from one turn of a session to its next on a server that nobody else asks."""
    return asked.pause_s + min(one.estimate.e2e_ms.mean for one in points) / _MS


def _bandwidth(asked: Sessions, planned: Planned) -> Ceiling:
    """Turns a second whose context the link brings back, at the link's own rate: what is reached is less."""
    option, gpu, points, buffer = planned
    if buffer is None or gpu.unified_memory or gpu.pcie_generation is None or not points:
        why = "nothing is offloaded" if buffer is None else "the tables lack the link to the host"
        return Ceiling(limit="offload bandwidth", sessions=None, why=why)
    length = asked.mean_prompt_tokens - asked.turn_tokens
    own = max(1, stored_blocks(option, length) - stored_blocks(option, asked.shared_tokens))
    turn_bytes = own * max(option.cache.bytes_per_block)
    rate = link_bytes_per_s(gpu, "pcie") * option.layout.data_parallel_size / turn_bytes
    why = f"{turn_bytes / 1e6:,.0f} MB a turn over PCIe {gpu.pcie_generation}.0 x16"
    return Ceiling(limit="offload bandwidth", sessions=int(rate * _cycle_s(asked, points)), why=why)
