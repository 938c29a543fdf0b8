"""What the deployment must carry."""

from typing import Literal, Self

from pydantic import Field

from generator.models.value import Value

BatchingMode = Literal["balanced", "latency", "throughput"]
Preset = Literal["chat", "rag", "agent", "batch"]


class Workload(Value):
    """A mean request and how many of them run at once."""

    prompt_tokens: int = Field(gt=0)
    """Tokens of the prompt, those that its images become included."""
    gen_tokens: int = Field(gt=0)
    concurrency: int = Field(gt=0)
    batching_mode: BatchingMode = "balanced"
    prefix_hit_ratio: float = Field(0.0, ge=0, lt=1)
    """Share of prompt tokens that the prefix cache already holds."""
    acceptance_rate: float = Field(0.0, ge=0, le=1)
    """Chance that a drafted token is kept where `speculative_config` drafts; 0 where it is not known."""

    @property
    def request_tokens(self) -> int:
        """Tokens of one finished request, prompt and answer."""
        return self.prompt_tokens + self.gen_tokens

    def within(self, context: int, *, prompt: int | None, gen: int | None) -> Self:
        """The lengths cut to `context` tokens where they exceed it; those that are stated stay, and may exceed it."""
        if self.request_tokens <= context or (prompt and gen):
            return self
        answer = gen or (context - prompt if prompt else max(context * self.gen_tokens // self.request_tokens, 1))
        asked = prompt or context - answer
        return (
            self if min(asked, answer) < 1 else self.model_copy(update={"prompt_tokens": asked, "gen_tokens": answer})
        )


class Targets(Value):
    """Service levels that the plan should meet; None where the user states none."""

    ttft_ms: float | None = None
    tpot_ms: float | None = None
    requests_per_s: float | None = None


PRESETS: dict[Preset, Workload] = {
    "chat": Workload(prompt_tokens=1024, gen_tokens=256, concurrency=16),
    "rag": Workload(prompt_tokens=6144, gen_tokens=512, concurrency=16),
    "agent": Workload(prompt_tokens=16384, gen_tokens=1024, concurrency=8),
    "batch": Workload(prompt_tokens=1024, gen_tokens=512, concurrency=128),
}
"""Starting points for people who do not know their numbers yet; every number can be set on its own."""
