"""Estimates as one line."""

from generator.models.cost import Cost, Energy, Scaling
from generator.models.estimate import Estimate, Latency, PassEstimate
from generator.models.plan import RunnerUp
from generator.presenting.text import plural

_BOUNDS = {
    "memory_bandwidth": "memory bandwidth",
    "compute": "arithmetic",
    "layer_cost": "the fixed cost of layers",
    "link": "the link between GPUs",
    "kv_capacity": "the size of the KV cache",
    "queue": "waiting requests",
}


def speed_text(estimate: Estimate) -> str:
    """First token, gap between tokens and throughput with their ranges, and what sets the pace."""
    rate = estimate.output_tokens_per_s
    tokens = f"{rate.mean:,.0f} tokens/s ({rate.low:,.0f} to {rate.high:,.0f})"
    first, gap = _latency(estimate.ttft_ms), _latency(estimate.tpot_ms)
    return f"first token {first}, then {gap} each, {tokens}; bound by {_BOUNDS[estimate.bound_by]}"


def speed_details(estimate: Estimate) -> tuple[tuple[str, str], ...]:
    """Each latency with mean, 95th percentile and range, requests per second, risk of preemption and calibration."""
    latencies = (
        ("first token", estimate.ttft_ms),
        ("each further token", estimate.tpot_ms),
        ("between two tokens", estimate.itl_ms),
        ("whole request", estimate.e2e_ms),
    )
    rate = estimate.requests_per_s
    return (
        *((name, f"{_latency(value)}; p95 {_late(value)}") for name, value in latencies),
        (
            "requests/s",
            f"{rate.mean:,.2f} ({rate.low:,.2f} to {rate.high:,.2f}), {estimate.running:,.1f} decode at once",
        ),
        ("preemption", f"{estimate.preemption_risk:.0%} of the time the cache is short of what was admitted"),
        ("bound by", _BOUNDS[estimate.bound_by]),
        ("calibration", estimate.calibration),
    )


def pass_text(estimate: PassEstimate) -> str:
    """Latency and rates of a pooling server with their ranges, and what sets the pace."""
    rate, tokens = estimate.requests_per_s, estimate.prompt_tokens_per_s
    requests = f"{rate.mean:,.0f} requests/s ({rate.low:,.0f} to {rate.high:,.0f})"
    pace = f"{tokens.mean:,.0f} prompt tokens/s; bound by {_BOUNDS[estimate.bound_by]}"
    return f"an answer after {_latency(estimate.latency_ms)}, {requests}, {pace}"


def cost_text(cost: Cost) -> str:
    """Cost of a million output tokens and of an hour, and the price behind both."""
    unit = f" {cost.currency}" if cost.currency else ""
    amount = f"{cost.cost_per_million_output_tokens:.2f}{unit} per million output tokens"
    replicas = f" for {cost.replicas} replicas" if cost.replicas else ""
    hour = f"{cost.cost_per_hour:.2f} an hour{replicas}"
    return f"{amount}, {hour}, at {cost.price_per_gpu_hour:g} a GPU-hour ({cost.price_source})"


def energy_text(energy: Energy) -> str:
    """Energy of a million output tokens, and the power behind it."""
    amount = f"at most {energy.kwh_per_million_output_tokens:.2f} kWh per million output tokens"
    return f"{amount} for the GPUs alone, at {energy.board_power_w} W each"


def scaling_text(scaling: Scaling) -> str:
    """Replicas for the rate, the rule that they follow, and an autoscaler's bounds."""
    each = f"{scaling.head_room:.0%} of the {scaling.replica_requests_per_s:.2f} that one surely delivers"
    bounds = f"autoscale {scaling.minimum} to {scaling.maximum}, above {scaling.requests_in_flight} requests in flight"
    gpus = plural(scaling.gpus, "GPU")
    return (
        f"{scaling.replicas} for {scaling.requests_per_s:g} requests/s ({gpus}), each planned for {each}; "
        f"{bounds} on one"
    )


def runner_up_text(second: RunnerUp) -> str:
    """The second-best way to use the same GPUs: its options, its figures, and why it is second."""
    found = second.estimate
    pace = f"{found.tpot_ms.mean:,.1f} ms a token, {found.output_tokens_per_s.mean:,.0f} tokens/s"
    return f"{' '.join(second.flags)}: {pace}; {second.why_not}"


def _latency(value: Latency) -> str:
    return _ranged(value.mean, value.low, value.high)


def _late(value: Latency) -> str:
    return _ranged(value.p95, value.p95_low, value.p95_high)


def _ranged(mean: float, low: float, high: float) -> str:
    """A duration with its range in one unit: seconds from one second on."""
    by = 1000 if mean >= 1000 else 1  # noqa: PLR2004 - milliseconds of a second
    unit = "ms" if by == 1 else "s"
    digits = 0 if mean / by >= 100 else 1  # noqa: PLR2004 - three digits tell enough
    return f"{mean / by:,.{digits}f} {unit} ({low / by:,.{digits}f} to {high / by:,.{digits}f})"
