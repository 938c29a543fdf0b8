"""Estimate of latency and throughput: what requests meet, from step times and queues."""

from __future__ import annotations

from math import ceil, inf
from typing import TYPE_CHECKING

from generator.models.estimate import Estimate
from generator.models.hardware import GPU
from generator.models.speed import Coefficients, Footprint, Limits, Scenario, release_range
from generator.planning.speed.queueing import Load, closed, open_loop, uneven
from generator.planning.speed.rates import rates
from generator.planning.speed.regions import doubt, in_region
from generator.planning.speed.report import Outcome, finite, lasting, preemption_risk, told
from generator.planning.speed.steps import StepModel

if TYPE_CHECKING:
    from generator.planning.speed.rates import Link, Rates

HEAD_ROOM = 0.8
"""Share of its capacity that a replica is planned for: at 0.8 waiting costs about two services (M/D/1), and a
replica in five may be away before the rest are full."""
_LASTING = 8
"""Rounds of a closed loop after which its start and its end no longer shape it."""


def estimate(
    footprint: Footprint,
    gpu: GPU,
    scenario: Scenario,
    limits: Limits,
    table: Coefficients,
    *,
    link: Link = "nvlink",
    release: str,
) -> Estimate:
    """Latency and throughput of one deployment under one load, all replicas together.

    Raises:
        UnknownFactError: the GPU's bandwidth is not known.
    """
    pace = rates(footprint, gpu, table, link=link, release=release_range(release))
    calibration = _calibration(footprint, gpu, scenario, table)
    table = in_region(table, footprint, gpu, scenario)
    return estimate_at(pace, footprint, scenario, limits, table, calibration=calibration)


def estimate_at(
    pace: Rates, footprint: Footprint, scenario: Scenario, limits: Limits, table: Coefficients, *, calibration: str
) -> Estimate:
    """The same from rates that are known, which is how the fit follows one rate at a time."""
    if scenario.in_process:
        pace = pace._replace(first_token_s=0.0, prompt_token_s=0.0, intake_s=0.0)
    engines = scenario.replicas * footprint.data_parallel_size
    load = _load(scenario, limits, engines)
    warm = _model(pace._replace(cold_s=0.0), footprint, scenario, limits)
    warmed = outcome = _outcome(warm, load, scenario, engines)
    model = warm
    if not scenario.warmed and (scenario.num_prompts or scenario.arrival == "burst"):
        model = _model(pace, footprint, scenario, limits)
        outcome = _outcome(model, load, scenario, engines)
    wanted = outcome.decoding if scenario.arrival == "open" else min(load.concurrency, limits.max_num_seqs)
    risk = preemption_risk(load, max(wanted, 1.0), limits.full_sequences)
    return told(outcome._replace(preemption_risk=risk), warmed, model, load, table=table, calibration=calibration)


def _model(pace: Rates, footprint: Footprint, scenario: Scenario, limits: Limits) -> StepModel:
    return StepModel(
        footprint,
        pace,
        drafts=scenario.num_speculative_tokens,
        drafting=scenario.drafting,
        eager=limits.enforce_eager,
    )


def soon_over(prompts: int | None, concurrency: float) -> bool:
    """Whether a closed loop of so many prompts is shaped by its start and its end; None goes on for good."""
    return prompts is not None and 0 < prompts < _LASTING * concurrency


def replicas_for(requests_per_s: float, one: Estimate) -> int:
    """Replicas for a request rate: each is planned for `HEAD_ROOM` of what one delivers at its low end."""
    return max(1, ceil(requests_per_s / (HEAD_ROOM * one.requests_per_s.low)))


def cost_per_million_output_tokens(price_per_gpu_hour: float, ranks: int, output_tokens_per_s: float) -> float:
    """Price of a million output tokens on `ranks` GPUs, in the currency of `price_per_gpu_hour`."""
    return price_per_gpu_hour * ranks / 3600 / output_tokens_per_s * 1e6


def _outcome(model: StepModel, load: Load, scenario: Scenario, engines: int) -> Outcome:
    prompts = scenario.num_prompts
    if scenario.arrival == "burst" or soon_over(prompts, scenario.concurrency):
        requests = max((prompts or scenario.concurrency) / engines, 1.0)
        sizes = uneven(scenario, model.rates.proxy_workers)
        shares = [(_share(load, size), requests * size, part) for size, part in sizes]
        return finite(model, shares, requests * engines)
    if scenario.arrival == "closed":
        return lasting(model, load, closed(model, load), scenario, engines)
    state = open_loop(model, load, (scenario.requests_per_s or 0.0) / engines)
    if state is not None:
        return lasting(model, load, state, scenario, engines)
    full = lasting(model, load, closed(model, load), scenario, engines)
    return full._replace(sustainable=False)


def _share(load: Load, size: float) -> Load:
    """The load of a replica that has `size` times the mean number of requests."""
    clients = max(load.concurrency * size, 1.0)
    return load._replace(concurrency=clients, running=min(clients, load.slots))


def _calibration(footprint: Footprint, gpu: GPU, scenario: Scenario, table: Coefficients) -> str:
    """What the coefficients were fitted to, and what of this estimate they were not."""
    outside = []
    if gpu.name not in table.gpus:
        outside.append(f"not measured on {gpu.name}")
    if not (gpu.flops.bf16 or gpu.flops.fp16):
        outside.append("no source states this GPU's FLOP/s: prompts are timed by the balance of its class")
    if few := doubt(table, footprint, gpu):
        outside.append(few)
    if footprint.decode_context_parallel_size > 1:
        outside.append("divided caches are not in the calibration rows")
    if scenario.num_speculative_tokens:
        outside.append("speculation is not in the calibration rows")
    if scenario.arrival == "open":
        outside.append("open arrivals are not in the calibration rows")
    return "; ".join([table.calibration, *outside])


def _load(scenario: Scenario, limits: Limits, engines: int) -> Load:
    room = limits.cache_sequences if limits.cache_sequences is not None else inf
    slots = max(1.0, min(limits.max_num_seqs, room))
    concurrency = max(scenario.concurrency / engines, 1.0)
    if scenario.arrival == "open":
        concurrency = slots
    return Load(
        prompt_tokens=scenario.prompt_tokens,
        new_tokens=max(scenario.prompt_tokens * (1 - scenario.prefix_hit_ratio), 1.0),
        gen_tokens=scenario.gen_tokens,
        tokens_per_step=scenario.tokens_per_step,
        concurrency=concurrency,
        running=min(concurrency, slots),
        slots=slots,
        batched_tokens=float(limits.max_num_batched_tokens),
        variation=scenario.length_variation,
        cache_binds=room < min(concurrency, limits.max_num_seqs),
    )
