"""What a cloud GPU costs."""

from __future__ import annotations

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
