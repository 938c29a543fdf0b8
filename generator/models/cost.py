"""What cloud GPUs cost, cost and energy of a deployment's answers, and the replicas that a request rate takes."""

from typing import Annotated

from pydantic import Field

from generator.models.value import Value


class GPUPrice(Value):
    """One provider's list price of one GPU, as read on one day."""

    gpu: str
    provider: str
    offer: str
    """What the provider calls it: instance, region or tier."""
    usd_per_gpu_hour: Annotated[float, Field(gt=0)]
    min_gpus: Annotated[int, Field(gt=0)] = 1
    """GPUs that the offer is sold with at least."""
    read_on: str
    """Day on which the price list was read, as 2026-11-09."""
    source: str


class Cost(Value):
    """What a million output tokens cost at the estimate, and whose price that rests on."""

    price_per_gpu_hour: float
    price_source: str
    cost_per_million_output_tokens: float
    cost_per_hour: float = 0.0
    """Of all replicas."""
    currency: str = ""
    """`USD` for a price of the table; empty for the user's own."""
    read_on: str = ""
    """Day on which the price list was read, as 2026-11-09; empty for the user's own price."""
    replicas: int | None = None
    """Replicas of this deployment for the target request rate; None where there is no such target."""


class Energy(Value):
    """Energy of the GPUs alone, each at its board's limit: what they draw at most."""

    board_power_w: int
    """Of one GPU."""
    kwh_per_million_output_tokens: float
    """At the estimate's mean."""


class Scaling(Value):
    """Replicas of a deployment for a request rate, and the bounds that an autoscaler may move in."""

    requests_per_s: float
    """The rate that is asked for."""
    replica_requests_per_s: float
    """What one replica delivers, low end of the estimate."""
    head_room: float
    """Share of that low end that a replica is planned for."""
    replicas: int
    minimum: int
    """Fewer cannot carry the rate, even at the high end of the estimate."""
    maximum: int
    """One more than planned: room for a replica that is being replaced."""
    gpus: int
    """GPUs of all replicas."""
    requests_in_flight: int
    """Requests in flight on one replica above which another one should start."""
    concurrency: int = 0
    """Requests in flight that each replica is planned for; 0 in what older packages wrote."""
