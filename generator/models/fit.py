"""FitRow: one model on one kind and number of GPUs."""

from __future__ import annotations

from generator.models.parallelism import Layout
from generator.models.plan import Verdict
from generator.models.value import Value


class FitRow(Value):
    """Whether a model fits, and what it then holds."""

    gpu: str
    gpus: int
    """GPUs of one node."""
    nodes: int
    layout: Layout | None = None
    verdict: Verdict | None = None
    """None where vLLM refuses every layout."""
    refusal: str = ""
    """vLLM's reason, where it refuses."""
    shortfall_bytes: int = 0
    """Bytes that the worst rank lacks."""
    max_model_len: int = 0
    """Context beside the workload, in tokens."""
    concurrency: int = 0
    """Requests of the workload's length that fit at once."""
    tpot_ms: float | None = None
    """Expected gap between tokens, where speed was asked for and is known."""
    output_tokens_per_s: float | None = None
    cost_per_million_output_tokens: float | None = None
    meets_targets: bool = False
    """Whether the workload fits at once and every stated target is met at its mean."""
