"""What the deployment must carry."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from generator.models.value import Value

BatchingMode = Literal["throughput", "latency", "balanced"]


class Workload(Value):
    """A mean request and how many of them run at once."""

    prompt_tokens: int = Field(512, gt=0)
    gen_tokens: int = Field(256, gt=0)
    concurrency: int = Field(1, gt=0)
    batching_mode: BatchingMode = "balanced"


class Targets(Value):
    """Service levels that the plan should meet; None where the user states none."""

    ttft_ms: float | None = Field(None, gt=0)
    tpot_ms: float | None = Field(None, gt=0)
    requests_per_s: float | None = Field(None, gt=0)
