"""Cost of a deployment's answers."""

from __future__ import annotations

from generator.models.value import Value


class Cost(Value):
    """What a million output tokens cost at the estimate, and whose price that rests on."""

    price_per_gpu_hour: float
    price_source: str
    cost_per_million_output_tokens: float
    replicas: int | None = None
    """Replicas of this deployment for the target request rate; None where there is no such target."""
