"""Estimate: what a deployment will deliver, each figure with its range."""

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
    p95_low: float = 0.0
    """Range of the 95th percentile: the mean's, by the same factors."""
    p95_high: float = 0.0


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
    preemption_risk: float = 0.0
    """Chance, at a random moment, that the requests which vLLM admits want more cache than there is, so that it
    stops one and reads its prompt again; 0 where the cache's size is not known."""
    bound_by: Bound
    calibration: str


class LoadPoint(Value):
    """What one server delivers to so many requests at once."""

    concurrency: int
    estimate: Estimate
