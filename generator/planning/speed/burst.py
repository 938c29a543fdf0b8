"""A finite run on one replica, followed group by group: bursts, and closed loops that start all at once.

vLLM admits in order of arrival while `max_num_seqs` and the cache allow it, fills each step's token budget with
prompts, and lets every running sequence gain a token in each step (vLLM 0.32 v1/core/sched/scheduler.py). When
the cache overflows the newest group goes back to the queue and is read again. Here
requests move in groups, so that a run of thousands costs as much as one of a hundred.
"""

from __future__ import annotations

import math
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from generator.planning.speed.queueing import Load
    from generator.planning.speed.steps import StepModel

_GROUPS = 96
_GOLDEN = 0.6180339887498949
_LEAST = 1e-9
_NARROW = 0.3
"""Variation below which answers are spread evenly about their mean; above it they are exponential."""
_LONGEST = 0.998


class Group(NamedTuple):
    """Requests that moved together: how many, when they came, began to answer (a span) and ended."""

    size: float
    arrived_s: float
    first_from_s: float
    first_to_s: float
    finished_s: float
    gen_tokens: float


class Waiting(NamedTuple):
    """Requests that wait for a slot."""

    ready_s: float
    """When the scheduler may take them."""
    arrived_s: float
    size: float
    preempted: tuple[Group, float, float] | None = None
    """Of a group that lost its cache: itself, its tokens of one request, and those still to come."""


class Run(NamedTuple):
    """A finished run."""

    groups: tuple[Group, ...]
    duration_s: float


def follow(model: StepModel, load: Load, *, requests: float, groups: int = _GROUPS) -> Run:
    """The run of `requests` requests by `load.concurrency` clients that all start at time 0."""
    return _Follower(model, load, requests, groups).run()


class _Follower:
    """The state of one run; lives during one call."""

    def __init__(self, model: StepModel, load: Load, requests: float, groups: int) -> None:
        self.model, self.load = model, load
        self.pairs = model.prompt_flops(load.prompt_tokens, load.prompt_tokens - load.new_tokens) / load.new_tokens
        self.left = requests
        self.now = self.steps = self.running = self.context = 0.0
        self.waiting: list[Waiting] = []
        self.ends: list[tuple[float, int, Group]] = []
        self.done: list[Group] = []
        self.admitted = 0
        self.capacity = load.cache_tokens
        size = min(max(requests / groups, 1.0), requests)
        clients = min(load.concurrency, requests)
        taken = 0.0
        while taken < clients - _LEAST:
            taken += self._arrive(min(size, clients - taken), taken * model.rates.intake_s)

    def run(self) -> Run:
        while self.waiting or self.ends:
            if self.waiting and not self.ends:
                self.now = max(self.now, self.waiting[0].ready_s)
            if self.waiting and (self._fits(self.waiting[0].size) or not self.ends):
                self._admit()
            else:
                self._decode()
            self._finish()
        return Run(tuple(self.done), self.now)

    def _decode(self) -> None:
        """Decodes until an answer ends, the next request comes to a free slot, or the cache is full."""
        steps = max(self.ends[0][0] - self.steps, 0.0)
        if self.waiting and self.running + self.waiting[0].size <= self.load.running + _LEAST:
            context = self.context / self.running if self.running else self.load.prompt_tokens
            pace = self.model.step(self.running, context).total_s
            steps = min(steps, max((self.waiting[0].ready_s - self.now) / pace, 1.0))
        growth = self.running * self.load.tokens_per_step
        room = (self.capacity - self.context) / growth if growth else steps
        if room < steps and len(self.ends) > 1:
            self._advance(max(room, 0.0), 0.0)
            self._preempt()
        else:
            self._advance(steps, 0.0)

    def _preempt(self) -> None:
        """Puts the newest group back at the head of the queue, with the tokens that it has as its prompt."""
        newest = max(self.ends, key=lambda entry: entry[1])
        self.ends.remove(newest)
        heapify(self.ends)
        group, left = newest[2], max(newest[0] - self.steps, 1.0) * self.load.tokens_per_step
        known = self.load.prompt_tokens + group.gen_tokens - left
        self.running = max(self.running - group.size, 0.0)
        self.context = max(self.context - group.size * known, 0.0)
        self.waiting.insert(0, Waiting(self.now, group.arrived_s, group.size, (group, known, left)))

    def _arrive(self, size: float, delay: float = 0.0) -> float:
        """Queues requests that came now and reach the scheduler after `delay`."""
        size = min(size, self.left)
        if size > _LEAST:
            self.left -= size
            self.waiting.append(Waiting(self.now + delay, self.now, size))
        return size

    def _fits(self, size: float) -> bool:
        """Whether the head of the queue has come, and `size` requests of its kind have slots and cache."""
        head = self.waiting[0]
        known = head.preempted[1] if head.preempted else self.load.prompt_tokens
        return (
            head.ready_s <= self.now + _LEAST
            and self.running + size <= self.load.running + _LEAST
            and self.context + size * known <= self.capacity
        )

    def _admit(self) -> None:
        """Reads the prompts at the head of the queue that fit one step, or one group's over many."""
        head = self.waiting.pop(0)
        if head.preempted:
            self._resume(*head.preempted)
            return
        arrived, size = head.arrived_s, head.size
        room = max(self.load.batched_tokens - self.running, 1.0)
        while self.waiting and self._joins(size, room):
            more = self.waiting.pop(0)
            arrived = (arrived * size + more.arrived_s * more.size) / (size + more.size)
            size += more.size
        begin, tokens = self.now, size * self.load.new_tokens
        steps = max(1.0, tokens / room)
        self._advance(steps, tokens / steps)
        answer = self._answer()
        first = min(begin + (self.now - begin) * max(1.0, room / tokens, steps / size) / steps, self.now)
        group = Group(size, arrived, first, self.now, 0.0, answer)
        self._start(group, self.load.prompt_tokens, max(answer - 1, 0.0))

    def _resume(self, group: Group, known: float, left: float) -> None:
        tokens = group.size * known
        steps = max(1.0, tokens / max(self.load.batched_tokens - self.running, 1.0))
        self._advance(steps, tokens / steps)
        self._start(group, known, left)

    def _start(self, group: Group, known: float, left: float) -> None:
        self.admitted += 1
        heappush(self.ends, (self.steps + left / self.load.tokens_per_step, self.admitted, group))
        self.running += group.size
        self.context += group.size * known

    def _joins(self, size: float, room: float) -> bool:
        head = self.waiting[0]
        more = size + head.size
        return not head.preempted and more * self.load.new_tokens <= room and self._fits(more)

    def _answer(self) -> float:
        """The group's answer length: quantiles of the lengths' distribution, in golden-ratio order."""
        mean, variation = self.load.gen_tokens, self.load.variation
        if not variation:
            return mean
        quantile = (self.admitted * _GOLDEN) % 1.0
        if variation < _NARROW:
            return mean * (1 + variation * math.sqrt(12) * (quantile - 0.5))
        return max(1.0, -mean * math.log(1 - _LONGEST * quantile))

    def _advance(self, steps: float, chunk: float) -> None:
        context = self.context / self.running if self.running else self.load.prompt_tokens
        middle = context + steps * self.load.tokens_per_step / 2
        self.now += steps * self.model.step(self.running, middle, chunk, self.pairs * chunk).total_s
        self.steps += steps
        self.context += steps * self.running * self.load.tokens_per_step

    def _finish(self) -> None:
        while self.ends and self.ends[0][0] <= self.steps + _LEAST:
            group = heappop(self.ends)[2]
            self.running = max(self.running - group.size, 0.0)
            self.context = max(self.context - group.size * (self.load.prompt_tokens + group.gen_tokens), 0.0)
            self.done.append(group._replace(finished_s=self.now))
            self._arrive(group.size)
