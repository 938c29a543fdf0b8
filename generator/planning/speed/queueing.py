"""How requests share the steps of one replica in steady state: closed loops and open arrivals.

With n sequences decoding, n / (answer - 1) requests start in every step. That fixes the share of steps that carry
a prompt of another request; the mean step, the rate and the wait follow from n without iteration. n itself is the
root of `decoding + reading a prompt + waiting = running` (Little's law), or of `rate = arrivals`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from math import exp
from typing import TYPE_CHECKING, NamedTuple

from generator.models.speed import Scenario

if TYPE_CHECKING:
    from generator.planning.speed.steps import StepModel

_ROUNDS = 24
_TOLERANCE = 1e-4
_ALMOST = 1 - 1e-6


class Load(NamedTuple):
    """One replica's share of a scenario."""

    prompt_tokens: float
    new_tokens: float
    """Tokens of the prompt that are not in the prefix cache."""
    gen_tokens: float
    tokens_per_step: float
    concurrency: float
    running: float
    """Requests that may run at once: the least of concurrency, `max_num_seqs` and the cache."""
    batched_tokens: float
    variation: float
    slots: float = math.inf
    """Requests that may run at once at most: `max_num_seqs` and the cache."""
    cache_binds: bool = False
    """True where the cache, not the load or `max_num_seqs`, limits `running`."""

    @property
    def steps(self) -> float:
        """Steps of one answer after its first token."""
        return max((self.gen_tokens - 1) / self.tokens_per_step, 1.0)


class QueueState(NamedTuple):
    """Steady state of one replica, means."""

    decoding: float
    step_s: float
    plain_s: float
    """A step without prompts."""
    mixed_s: float
    """A step with prompts."""
    share: float
    """Share of a request's steps that carry prompts of others."""
    rate_per_s: float
    first_s: float
    """From admission to the first token, without other requests' prompts."""
    queue_s: float
    """Wait behind other requests' prompts."""
    slot_s: float
    """Wait for a slot or for cache blocks."""
    busy: float
    """Share of the time in which prompts are read."""


def steady(model: StepModel, load: Load, decoding: float) -> QueueState:
    """The steady state in which `decoding` sequences decode on average."""
    new, starts = load.new_tokens, decoding / load.steps
    room = max(load.batched_tokens - decoding, 1.0)
    context = load.prompt_tokens + load.gen_tokens / 2
    cached = load.prompt_tokens - new
    pairs = model.prompt_flops(load.prompt_tokens, cached) / new
    chunk = min(new * max(1.0, starts), room)
    share = min(starts * new / chunk, 1.0)
    plain = model.step(decoding, context).total_s
    mixed = model.step(decoding, context, chunk, pairs * chunk).total_s
    others = min(1 - 1 / max(load.running, 1.0), _ALMOST)
    met = share * (1 - exp(1 - max(load.running, 1.0)))  # its own prompt holds up no step of its answer
    together = 1 - (1 - met) * (1 - share) ** (model.engines - 1)  # those of replicas that step with it do
    full = min(room, new * max(load.running - decoding, 1.0))
    packed = new / full * (mixed if full == chunk else model.step(decoding, context, full, pairs * full).total_s)
    step = max(plain + together * (mixed - plain), starts * packed)  # prompts fill steps at most
    rate = starts / step
    alone = (
        mixed if new == chunk and model.stages == 1 else _alone(model, (decoding, context), (new, pairs * new), room)
    )
    busy = min(rate * packed, 1.0)
    residual = (share * mixed**2 + (1 - share) * plain**2) / (2 * step)
    engaged = 1 - exp(-others * decoding)
    wait = engaged * (residual + model.rates.queued_steps * step)
    queue = others * busy * packed / 2 / (1 - others * busy)
    serve = model.rates.first_token_s + model.rates.prompt_token_s * load.prompt_tokens
    slot = (load.concurrency - load.running) / rate if rate > 0 else 0.0
    return QueueState(decoding, step, plain, mixed, met, rate, wait + alone + serve, queue, slot, busy)


def _alone(model: StepModel, running: tuple[float, float], prompt: tuple[float, float], room: float) -> float:
    """Seconds to read one prompt (tokens, FLOPs) beside others (number, context); a piece follows one stage behind."""
    pieces = math.ceil(prompt[0] / room)
    first = model.step(*running, prompt[0] / pieces, prompt[1] / pieces, whole=True).total_s
    return first * (1 + (pieces - 1) / model.stages)


def closed(model: StepModel, load: Load) -> QueueState:
    """Steady state of a closed loop: each client sends its next request when it has its answer.

    Where prompts take every step's budget the rest of the running requests wait for theirs.
    """

    def excess(decoding: float) -> float:
        state = steady(model, load, decoding)
        return decoding + state.rate_per_s * (state.first_s + state.queue_s) - load.running

    decoding = _root(excess, -load.running, _most(load), load.running * _TOLERANCE)
    state = steady(model, load, decoding)
    rest = (load.running - decoding) / state.rate_per_s - state.first_s
    return state._replace(queue_s=max(state.queue_s, rest))


def open_loop(model: StepModel, load: Load, rate_per_s: float) -> QueueState | None:
    """Steady state of independent arrivals; None where the replica cannot keep up."""
    most = _most(load)
    if steady(model, load, most).rate_per_s <= rate_per_s:
        return None

    def excess(decoding: float) -> float:
        return steady(model, load, decoding).rate_per_s - rate_per_s

    return steady(model, load, _root(excess, -rate_per_s, most, rate_per_s * _TOLERANCE))


def _most(load: Load) -> float:
    """Most sequences that can decode while their successors' prompts still find room in the steps."""
    return min(load.running, load.batched_tokens / (1 + load.new_tokens / load.steps))


def _root(function: Callable[[float], float], at_zero: float, high: float, tolerance: float) -> float:
    """Root of an increasing function on [0, high] by the Illinois rule; `high` where it stays negative."""
    low, f_low, f_high = 0.0, at_zero, function(high)
    if f_high <= 0:
        return high
    side = 0
    for _ in range(_ROUNDS):
        middle = (low * f_high - high * f_low) / (f_high - f_low)
        value = function(middle)
        if abs(value) <= tolerance:
            return middle
        if value > 0:
            high, f_high = middle, value
            f_low = f_low / 2 if side == 1 else f_low
            side = 1
        else:
            low, f_low = middle, value
            f_high = f_high / 2 if side == -1 else f_high
            side = -1
    return (low + high) / 2


_NEVER = 1e-9


def uneven(scenario: Scenario, workers: float) -> list[tuple[float, float]]:
    """Sizes of replicas over their mean, each with the share of the requests that meet it.

    A proxy of several worker processes, each of which hands its own requests out in turn from the first replica on
    (nginx, ngx_http_upstream_round_robin: without a shared zone each worker keeps its own state), gives the first
    replicas more while a worker has but few. Replicas above and below the size that a request meets on average are
    told as one each.
    """
    if scenario.balancing == "even" or scenario.replicas == 1:
        return [(1.0, 1.0)]
    sizes = _filled(scenario.concurrency, scenario.replicas, workers)
    met = sum(size * size for size in sizes) / sum(sizes)
    parts = [[s for s in sizes if s > met], [s for s in sizes if s <= met]]
    mean = sum(sizes) / len(sizes)
    return [(sum(s * s for s in part) / sum(part) / mean, sum(part) / sum(sizes)) for part in parts if sum(part)]


def _filled(requests: float, replicas: int, workers: float) -> list[float]:
    """Requests of each replica where they reach the workers as dice fall: Poisson, and in turn within a worker."""
    each = requests / workers
    sizes, term, beyond = [0.0] * replicas, exp(-each), 1.0
    turn = 0
    while beyond > _NEVER and turn < requests:
        beyond -= term
        sizes[turn % replicas] += workers * max(beyond, 0.0)
        turn += 1
        term *= each / turn
    return sizes
