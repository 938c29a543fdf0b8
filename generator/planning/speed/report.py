"""From a steady state or a finished run to the figures of an Estimate."""

from __future__ import annotations

from math import erfc, exp, log, sqrt
from typing import TYPE_CHECKING, NamedTuple

from generator.models.estimate import Bound, Estimate, Latency, Throughput
from generator.models.speed import Coefficients, Scenario
from generator.planning.speed.burst import follow
from generator.planning.speed.summary import SpeedFigure, first_s, of_run, tpot_s, weighted_mean

if TYPE_CHECKING:
    from generator.planning.speed.burst import Run
    from generator.planning.speed.queueing import Load, QueueState
    from generator.planning.speed.steps import StepModel

_MS = 1e3
_P95 = 1.645
"""Standard deviations to the 95th percentile of a normal distribution."""
_START_GROUPS = 24
_RARE = 0.05
"""Share below which something lies beyond the 95th percentile."""
_NEVER = 1e-9


class Outcome(NamedTuple):
    """What a load came to, in seconds, before it is told."""

    kind: str
    """lasting or finite: which calibration holds."""
    ttft: SpeedFigure
    tpot: SpeedFigure
    itl: SpeedFigure
    e2e: SpeedFigure
    rate_per_s: float
    decoding: float
    waited_s: float
    sustainable: bool = True
    preemption_risk: float = 0.0


def lasting(model: StepModel, load: Load, state: QueueState, scenario: Scenario, engines: int) -> Outcome:
    """A load that goes on; where a closed loop ends, its start counts by its share of the requests."""
    ttft, tpot = _steady_ttft(state), _steady_tpot(load, state)
    steps = load.gen_tokens - 1
    rate = state.rate_per_s
    if scenario.arrival == "closed":
        rate = scenario.concurrency / engines / (ttft.mean + steps * tpot.mean)
    if scenario.num_prompts:
        share = min(load.concurrency * engines / scenario.num_prompts, 1.0)
        first_ttft, first_tpot = _starting(model, load)
        late = max(ttft.p95, first_ttft) if share > _RARE else ttft.p95
        ttft = SpeedFigure(_mix(ttft.mean, first_ttft, share), ttft.median, late)
        tpot = tpot._replace(mean=_mix(tpot.mean, first_tpot, share))
    gap = 1 / load.tokens_per_step
    itl = SpeedFigure(
        tpot.mean,
        gap * (state.plain_s if state.share < 1 / 2 else state.mixed_s),
        gap * (state.plain_s if state.share < _RARE else state.mixed_s),
    )
    e2e = SpeedFigure(*(first + steps * each for first, each in zip(ttft, tpot, strict=True)))
    waited = state.slot_s + state.queue_s
    return Outcome("lasting", ttft, tpot, itl, e2e, rate * engines, state.decoding, waited)


def finite(model: StepModel, shares: list[tuple[Load, float, float]], requests: float) -> Outcome:
    """A run of `requests` over all replicas that ends: a burst, or a closed loop of few rounds.

    Each share of the requests meets a replica of its own load and number of requests; the run ends with the slowest.
    """
    runs = [(follow(model, load, requests=size), size, part) for load, size, part in shares]
    serve, load = _serve_s(model, shares[0][0]), shares[0][0]
    groups = [g._replace(size=g.size * part / size) for run, size, part in runs for g in run.groups]
    ttft, tpot, e2e = of_run(groups, serve)
    decoding = sum(part * _decoding(run) for run, _, part in runs)
    step = model.step(decoding, _context(load)).total_s / load.tokens_per_step
    longest = max(run.duration_s for run, _, _ in runs) + serve
    alone = model.step(1.0, load.prompt_tokens, min(load.new_tokens, load.batched_tokens)).total_s
    itl = SpeedFigure(tpot.mean, step, max(tpot.p95, step))
    return Outcome("finite", ttft, tpot, itl, e2e, requests / longest, decoding, max(ttft.mean - alone - serve, 0.0))


def told(
    outcome: Outcome, warmed: Outcome, model: StepModel, load: Load, *, table: Coefficients, calibration: str
) -> Estimate:
    """The estimate: milliseconds, ranges, what sets the pace and what the figures rest on.

    `warmed` is the same on a server whose kernels are compiled: the ranges reach to it, as nothing tells which it is.
    """
    width = exp(table.half_widths.get(f"throughput.{outcome.kind}", 0.0))
    return Estimate.model_construct(
        ttft_ms=_latency("ttft", outcome.ttft, warmed.ttft, outcome.kind, table),
        tpot_ms=_latency("tpot", outcome.tpot, warmed.tpot, outcome.kind, table),
        itl_ms=_latency("itl", outcome.itl, warmed.itl, outcome.kind, table),
        e2e_ms=_latency("e2e", outcome.e2e, warmed.e2e, outcome.kind, table),
        output_tokens_per_s=_range(outcome.rate_per_s * load.gen_tokens, warmed.rate_per_s * load.gen_tokens, width),
        requests_per_s=_range(outcome.rate_per_s, warmed.rate_per_s, width),
        running=outcome.decoding,
        sustainable=outcome.sustainable,
        preemption_risk=outcome.preemption_risk,
        bound_by=_bound(load, outcome, model),
        calibration=calibration,
    )


def preemption_risk(load: Load, admitted: float, full_sequences: float | None) -> float:
    """Chance that `admitted` requests at random points of their answers want more cache than there is.

    vLLM admits on the prompt's blocks and takes a block at a time while the answer grows (vLLM 0.32
    v1/core/sched/scheduler.py), so what each holds is even between prompt and full length; many add up to normal.
    """
    if full_sequences is None:
        return 0.0
    room = full_sequences * (load.prompt_tokens + load.gen_tokens)
    spare = room - admitted * (load.prompt_tokens + load.gen_tokens / 2)
    spread = load.gen_tokens * sqrt(admitted / 12)
    return erfc(spare / spread / sqrt(2)) / 2


def _latency(name: str, figure: SpeedFigure, warmed: SpeedFigure, kind: str, table: Coefficients) -> Latency:
    mean, width = figure.mean * _MS, exp(table.half_widths.get(f"{name}.{kind}", 0.0))
    late, least = max(figure.p95 * _MS, mean), min(warmed.mean * _MS, mean)
    return Latency.model_construct(
        mean=mean,
        median=figure.median * _MS,
        p95=late,
        low=least / width,
        high=mean * width,
        p95_low=min(max(warmed.p95 * _MS, least), late) / width,
        p95_high=late * width,
    )


def _range(mean: float, warmed: float, width: float) -> Throughput:
    return Throughput.model_construct(mean=mean, low=mean / width, high=max(mean, warmed) * width)


def _bound(load: Load, outcome: Outcome, model: StepModel) -> Bound:
    """What sets the pace: waiting, where it is most of the time to first token, else the largest part of a step.

    The step is one of a prompt where others' prompts are most of the time a token.
    """
    if not outcome.sustainable or outcome.waited_s > outcome.ttft.mean / 2:
        return "kv_capacity" if load.cache_binds else "queue"
    step = model.step(outcome.decoding, _context(load))
    if outcome.tpot.mean * load.tokens_per_step > 2 * step.total_s:
        step = model.step(outcome.decoding, _context(load), min(load.new_tokens, load.batched_tokens))
    return step.largest


def _steady_ttft(state: QueueState) -> SpeedFigure:
    """The wait behind other prompts is nil, or exponential in the share of busy time."""
    base, busy = state.first_s + state.slot_s, max(state.busy, _NEVER)
    spread = state.queue_s / busy
    late = max(state.queue_s, spread * log(busy / _RARE)) if busy > _RARE else 0.0
    return SpeedFigure(base + state.queue_s, base + max(0.0, spread * log(2 * busy)), base + late)


def _steady_tpot(load: Load, state: QueueState) -> SpeedFigure:
    """Requests meet more or fewer steps with prompts; a count of independent steps, so near normal."""
    mean = state.step_s / load.tokens_per_step
    spread = sqrt(state.share * (1 - state.share) / load.steps) * (state.mixed_s - state.plain_s)
    return SpeedFigure(mean, mean, mean + _P95 * spread / load.tokens_per_step)


def _starting(model: StepModel, load: Load) -> tuple[float, float]:
    """Mean TTFT and TPOT of the requests that all clients send at the start."""
    run = follow(model, load._replace(variation=0.0), requests=load.concurrency, groups=_START_GROUPS)
    serve = _serve_s(model, load)
    ttft = weighted_mean([(first_s(group) - group.arrived_s + serve, group.size) for group in run.groups])
    return ttft, weighted_mean([(tpot_s(group), group.size) for group in run.groups])


def _decoding(run: Run) -> float:
    """Requests that decode at once, mean over the run."""
    return sum(g.size * (g.finished_s - first_s(g)) for g in run.groups) / run.duration_s


def _serve_s(model: StepModel, load: Load) -> float:
    return model.rates.first_token_s + model.rates.prompt_token_s * load.prompt_tokens


def _context(load: Load) -> float:
    return load.prompt_tokens + load.gen_tokens / 2


def _mix(steady: float, start: float, share: float) -> float:
    return (1 - share) * steady + share * start
