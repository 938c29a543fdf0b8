"""Estimates as one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from generator.models.cost import Cost
    from generator.models.estimate import Estimate, Latency

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


def cost_text(cost: Cost) -> str:
    """Cost of a million output tokens, and the price behind it."""
    amount = f"{cost.cost_per_million_output_tokens:.2f} per million output tokens"
    replicas = f"; {cost.replicas} replicas for the target rate" if cost.replicas else ""
    return f"{amount} at {cost.price_per_gpu_hour:g} a GPU-hour ({cost.price_source}){replicas}"


def _latency(value: Latency) -> str:
    digits = 0 if value.mean >= 100 else 1  # noqa: PLR2004 - three digits tell enough
    return f"{value.mean:,.{digits}f} ms ({value.low:,.{digits}f} to {value.high:,.{digits}f})"
