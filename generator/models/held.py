"""ModelRow: one embedded model on the GPUs that were named."""

from __future__ import annotations

from typing import Literal

from generator.models.parallelism import Layout
from generator.models.value import Value

Purpose = Literal["chat", "code", "embed", "reasoning", "tools", "vision"]
"""What a model can be asked for by: it follows instructions, is made for code, gives vectors or scores, thinks, calls
tools, reads images."""


class ModelRow(Value):
    """A model that starts on these GPUs, and what it then holds and delivers."""

    model: str
    sibling_of: str = ""
    """The model whose weights it stores in fewer bits; empty where it is no quantized sibling."""
    parameters: int
    active_parameters: int
    """Those that one token uses."""
    weights: str
    """How its matrices are stored: the quantization's name, or the dtype."""
    checkpoint_bytes: int
    purposes: tuple[Purpose, ...] = ()
    layout: Layout
    verdict: Literal["fits", "tight"]
    max_model_len: int
    """Context beside the workload, in tokens."""
    concurrency: int
    """Requests of the workload's length that fit at once."""
    carries: bool
    """Whether the workload's requests fit at once."""
    ttft_ms: float | None = None
    """Expected time to the first token; None where the speed is not known."""
    tpot_ms: float | None = None
    """Expected gap between tokens, likewise."""
    output_tokens_per_s: float | None = None
