"""A finite run on one replica, followed group by group: bursts, and closed loops that start all at once.

vLLM admits in order of arrival while `max_num_seqs` and the cache allow it, fills each step's token budget with
prompts, and lets every running sequence gain a token in each step (vLLM 0.32 v1/core/sched/scheduler.py). Here
requests move in groups, so that a run of thousands costs as much as one of a hundred.
"""

from __future__ import annotations

import math
from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from generator.planning.speed.queueing import Load
    from generator.planning.speed.steps import StepModel

_GROUPS = 160
_GOLDEN = 0.6180339887498949
_LEAST = 1e-9


class Cohort(NamedTuple):
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


class Run(NamedTuple):
    """A finished run."""

    groups: tuple[Cohort, ...]
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
        self.ends: list[tuple[float, int, Cohort]] = []
        self.done: list[Cohort] = []
        self.admitted = 0
        size = min(max(requests / groups, 1.0), requests)
        clients = min(load.concurrency, requests)
        taken, ready = 0.0, clients * model.rates.intake_s + model.rates.cold_s
        while taken < clients - _LEAST:
            taken += self._arrive(min(size, clients - taken), ready)

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
        """Decodes until an answer ends or, where a slot is free for it, the next request comes."""
        steps = max(self.ends[0][0] - self.steps, 0.0)
        if self.waiting and self.running + self.waiting[0].size <= self.load.running + _LEAST:
            context = self.context / self.running if self.running else self.load.prompt_tokens
            pace = self.model.step(self.running, context).total_s
            steps = min(steps, max((self.waiting[0].ready_s - self.now) / pace, 1.0))
        self._advance(steps, 0.0)

    def _arrive(self, size: float, delay: float = 0.0) -> float:
        """Queues requests that came now and reach the scheduler after `delay`."""
        size = min(size, self.left)
        if size > _LEAST:
            self.left -= size
            self.waiting.append(Waiting(self.now + delay, self.now, size))
        return size

    def _fits(self, size: float) -> bool:
        """Whether the head of the queue has come, and `size` requests have slots and cache."""
        return self.waiting[0].ready_s <= self.now + _LEAST and self.running + size <= self.load.running + _LEAST

    def _admit(self) -> None:
        """Reads the prompts at the head of the queue that fit one step, or one group's over many."""
        head = self.waiting.pop(0)
        parts, size = [head], head.size
        room = max(self.load.batched_tokens - self.running, 1.0)
        while self.waiting and self._joins(size, room):
            parts.append(self.waiting.pop(0))
            size += parts[-1].size
        begin, tokens = self.now, size * self.load.new_tokens
        steps = max(1.0, tokens / room)
        self._advance(steps, tokens / steps)
        first = min(begin + (self.now - begin) * max(1.0, room / tokens, steps / size) / steps, self.now)
        for part in parts:
            answer = self._answer()
            group = Cohort(part.size, part.arrived_s, first, self.now, 0.0, answer)
            self.admitted += 1
            end = self.steps + max(answer - 1, 0.0) / self.load.tokens_per_step
            heappush(self.ends, (end, self.admitted, group))
        self.running += size
        self.context += size * self.load.prompt_tokens

    def _joins(self, size: float, room: float) -> bool:
        more = size + self.waiting[0].size
        return more * self.load.new_tokens <= room and self._fits(more)

    def _answer(self) -> float:
        """The group's answer length: quantiles of an even distribution, in golden-ratio order from the middle."""
        width = min(self.load.variation * math.sqrt(12), 2.0)
        quantile = (0.5 + self.admitted * _GOLDEN) % 1.0
        return max(1.0, self.load.gen_tokens * (1 + width * (quantile - 0.5)))

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
