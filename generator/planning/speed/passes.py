"""Speed of a pooling server: every request is one pass over its prompt, and shares its step with others."""

from __future__ import annotations

from math import ceil, exp
from typing import TYPE_CHECKING, NamedTuple

from generator.models.estimate import Bound, Estimate, Latency, PassEstimate, Throughput
from generator.models.hardware import GPU
from generator.models.speed import Coefficients, Footprint, Limits, Scenario, release_range
from generator.planning.speed.rates import rates
from generator.planning.speed.steps import StepModel

if TYPE_CHECKING:
    from generator.planning.speed.rates import Link

_MS = 1e3
_NONE = Latency(mean=0.0, median=0.0, p95=0.0, low=0.0, high=0.0)


def passes(
    footprint: Footprint,
    gpu: GPU,
    scenario: Scenario,
    limits: Limits,
    table: Coefficients,
    *,
    link: Link = "nvlink",
    release: str,
) -> Estimate:
    """Latency and rate of a closed loop of `scenario.concurrency` clients, all replicas together.

    A step takes as many whole prompts as its tokens and sequences hold; a longer prompt takes several steps. With n
    clients and b prompts a step of t seconds a client waits n t / b, and at least its own step and the server's time
    around it. `output_tokens_per_s` counts prompt tokens, and nothing is decoded: `pass_estimate` tells it so.

    Raises:
        UnknownFactError: the GPU's bandwidth is not known.
    """
    pace = rates(footprint, gpu, table, link=link, release=release_range(release))
    model = StepModel(footprint, pace, eager=limits.enforce_eager)
    engines = scenario.replicas * footprint.data_parallel_size
    clients = max(scenario.concurrency / engines, 1.0)
    new = max(scenario.prompt_tokens * (1 - scenario.prefix_hit_ratio), 1.0)
    room = min(clients, limits.max_num_seqs, limits.cache_sequences or clients)
    together = max(1.0, min(room, limits.max_num_batched_tokens // new))
    pieces = ceil(new * together / max(limits.max_num_batched_tokens, 1))
    flops = model.prompt_flops(scenario.prompt_tokens, scenario.prompt_tokens - new) * together
    step = model.step(0.0, 0.0, new * together / pieces, flops / pieces)
    duration = pieces * step.total_s + pace.sequence_s * together
    around = pace.first_token_s + pace.prompt_token_s * scenario.prompt_tokens
    cycle = max(clients * duration / together, duration + around)
    rate = clients * engines / cycle
    return _told(_Loop(cycle, duration, rate), scenario.prompt_tokens, step.largest, table)


def pass_estimate(found: Estimate | None) -> PassEstimate | None:
    """The estimate as a pooling server's, without the figures of text."""
    if found is None:
        return None
    return PassEstimate(
        latency_ms=found.e2e_ms,
        requests_per_s=found.requests_per_s,
        prompt_tokens_per_s=found.output_tokens_per_s,
        bound_by=found.bound_by,
        calibration=found.calibration,
    )


class _Loop(NamedTuple):
    """A closed loop, in seconds: one client's round, one batch, and the requests of all replicas."""

    cycle_s: float
    batch_s: float
    rate_per_s: float


def _told(loop: _Loop, prompt: float, bound: Bound, table: Coefficients) -> Estimate:
    """Ranges are those of first tokens and of throughput of chat models: no pooling run was measured."""
    slow = exp(table.half_widths.get("ttft.lasting", 0.0))
    width = exp(table.half_widths.get("throughput.lasting", 0.0) + table.half_widths.get("ttft.lasting", 0.0))
    mean, rate = loop.cycle_s * _MS, loop.rate_per_s
    late = (loop.cycle_s + loop.batch_s) * _MS
    latency = Latency(mean=mean, median=mean, p95=late, low=mean / slow, high=mean * slow)
    return Estimate(
        ttft_ms=latency,
        tpot_ms=_NONE,
        itl_ms=_NONE,
        e2e_ms=latency,
        output_tokens_per_s=Throughput(mean=rate * prompt, low=rate * prompt / width, high=rate * prompt * width),
        requests_per_s=Throughput(mean=rate, low=rate / width, high=rate * width),
        running=0.0,
        bound_by=bound,
        calibration=f"{table.calibration}; pooling is not in the calibration rows",
    )
