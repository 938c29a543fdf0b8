"""Rows of comparisons: one checkpoint on one kind and number of GPUs, and one embedded model on the GPUs at hand."""

from typing import Literal

from generator.models.parallelism import Layout
from generator.models.value import Value
from generator.models.verdict import Verdict


class FitRow(Value):
    """Whether a model fits, and what it then holds."""

    model: str = ""
    """The checkpoint that is served: the one asked about, or a quantized one of the same weights."""
    flags: tuple[str, ...] = ()
    """Options that a plan of this row takes beside the GPUs; what they change costs accuracy. Empty: as asked for."""
    gpu: str
    gpus: int
    """GPUs of one node."""
    nodes: int
    layout: Layout | None = None
    servers: int = 1
    """Equal servers of the layout that the GPUs of the node are cut into."""
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
    ttft_ms: float | None = None
    """Expected time to the first token, where speed was asked for and is known."""
    tpot_ms: float | None = None
    """Expected gap between tokens, likewise."""
    output_tokens_per_s: float | None = None
    cost_per_million_output_tokens: float | None = None
    cost_per_hour: float | None = None
    """Of all replicas; the whole offer where it is sold with more GPUs."""
    price_per_gpu_hour: float | None = None
    """Of one GPU in USD: the lowest dated offer; None where no price list has it. The user's own stands above."""
    price_median_per_gpu_hour: float | None = None
    """Of the dated offers, in USD."""
    price_offers: int = 0
    """How many dated offers there are."""
    price_source: str = ""
    """Whose price it is, and when it was read."""
    replicas: int = 1
    """Copies of the deployment for the target request rate; 1 without one."""
    meets_targets: bool = False
    """Whether the workload fits at once and every stated target is met at its mean."""
    doubtful: bool = False
    """Whether that holds at the means alone: a target is missed, or room lacks, at the worse end of a range."""


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
