"""Estimate: what a deployment will deliver, each figure with its range."""

from __future__ import annotations

from typing import Literal

from generator.models.value import Value

Bound = Literal["memory_bandwidth", "compute", "layer_cost", "link", "kv_capacity", "queue"]
"""What sets the pace: reading weights and cache, arithmetic, fixed cost of layers and steps, the link between
GPUs, the cache's size, or requests that wait for each other."""


class Latency(Value):
    """Milliseconds over the requests of a load; `low` to `high` is the range of the mean."""

    mean: float
    median: float
    p95: float
    low: float
    high: float


class Throughput(Value):
    """A rate over all replicas and its range."""

    mean: float
    low: float
    high: float


class PassEstimate(Value):
    """What a pooling server delivers under the workload: each request is one pass over its prompt."""

    latency_ms: Latency
    requests_per_s: Throughput
    prompt_tokens_per_s: Throughput
    bound_by: Bound
    calibration: str


class Estimate(Value):
    """What a deployment delivers under one scenario."""

    ttft_ms: Latency
    tpot_ms: Latency
    itl_ms: Latency
    e2e_ms: Latency
    output_tokens_per_s: Throughput
    requests_per_s: Throughput
    running: float
    """Requests that decode at once on one replica, mean."""
    sustainable: bool = True
    """False where arrivals outrun the deployment; its figures are then those of a full one."""
    bound_by: Bound
    calibration: str
