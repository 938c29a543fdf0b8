"""Boot: what one start of vLLM logged, figure by figure; what the log does not say is None."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from generator.models.value import Value

Stage = Literal["arguments", "weights", "profile", "graphs", "serving"]
"""How far a start came: to its arguments, the weights, the memory profile, the capture of graphs, or to serve."""


class Ranks(Value):
    """Bytes that the ranks of one start logged of one item; a single line speaks for all of them."""

    low: int
    high: int
    lines: int = 1

    def joined(self, value: int) -> Ranks:
        """The spread with one rank more."""
        return Ranks(low=min(self.low, value), high=max(self.high, value), lines=self.lines + 1)


class Failure(Value):
    """Why a start ended, as vLLM said it."""

    kind: str
    """Name of the row of `boot_failures.toml`; `unknown` for an error that no row knows."""
    says: str
    """What it means, in a sentence."""
    advice: str = ""
    """What mends it beside changes of the plan."""
    levers: tuple[str, ...] = ()
    """Changes of the plan that may mend it, the likeliest first."""
    message: str
    """The line of the log."""
    figures: dict[str, float] = Field(default_factory=dict)
    """Figures in the message, by name: bytes, tokens, GPUs."""


class Boot(Value):
    """One start of vLLM as its log tells it; the last one where the log holds several."""

    starts: int = 0
    """Starts that the log holds; 0 where its beginning is cut off."""
    version: str | None = None
    model: str | None = None
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Arguments that differ from vLLM's defaults, as logged."""
    config: dict[str, str] = Field(default_factory=dict)
    """What the engine resolved: dtype, quantization, parallel sizes ..."""
    backend: str | None = None
    """The attention backend by vLLM's name."""
    device: str | None = None
    """`GPU` or `CPU`, as the line about the cache has it."""
    utilization: float | None = None
    total_bytes: int | None = None
    """Memory of the GPU as CUDA reports it."""
    free_bytes: Ranks | None = None
    """Free memory before anything was loaded."""
    requested_bytes: int | None = None
    weights_bytes: Ranks | None = None
    load_s: float | None = None
    consumed_bytes: int | None = None
    """Weights and memory outside PyTorch in one figure, as releases from 0.27 on give it."""
    non_torch_bytes: int | None = None
    activation_bytes: int | None = None
    """Peak of the memory profile, without the estimate for graphs."""
    graph_estimate_bytes: int | None = None
    """What the profile took off the cache for graphs; None where the release had no such estimate or did not use it."""
    graph_bytes: Ranks | None = None
    """What capturing the graphs took."""
    cache_bytes: Ranks | None = None
    """Memory left to the cache."""
    cache_tokens: int | None = None
    blocks: int | None = None
    block_size: int | None = None
    context: int | None = None
    concurrency: float | None = None
    batched_tokens: int | None = None
    compile_s: float | None = None
    compiled_before: bool | None = None
    """Whether the compiled graph came from the cache: then the profile ran without a compilation."""
    capture_s: float | None = None
    engine_s: float | None = None
    """Seconds of profile, cache and warm-up."""
    ready: bool = False
    """Whether the server said that it serves."""
    failure: Failure | None = None
    read_bytes: int = 0

    @property
    def stage(self) -> Stage:
        """How far the start came, as far as the log goes."""
        if self.ready:
            return "serving"
        if self.cache_bytes is not None or self.cache_tokens is not None:
            return "graphs"
        if self.weights_bytes is not None:
            return "profile"
        return "weights" if self.config else "arguments"

    @property
    def says_nothing(self) -> bool:
        """Whether no line of a start was found."""
        told = (self.version, self.weights_bytes, self.cache_bytes, self.cache_tokens, self.failure)
        return not self.starts and all(one is None for one in told)

    @property
    def eager(self) -> bool:
        """Whether no graphs are captured."""
        return self.config.get("enforce_eager") == "True" or self.arguments.get("enforce_eager") is True
