"""Sessions: conversations and agents that come back, what of them stays cached, and what bounds how many."""

from math import ceil
from typing import Literal

from pydantic import Field

from generator.models.plan import Plan
from generator.models.request import MOST_LOAD
from generator.models.value import Value

_MOST_TOKENS, _MOST_TURNS, _DAY_S = 100_000_000, 100_000, 86_400
Bound = Literal["cache", "compute", "offload bandwidth"]
Where = Literal["gpu", "host", "nowhere"]


class Sessions(Value):
    """A workload of turns: each sends what is new since the last one, and waits before the next."""

    live: int = Field(gt=0, le=MOST_LOAD)
    """Sessions at once, those that pause among them."""
    turns: int = Field(10, gt=0, le=_MOST_TURNS)
    shared_tokens: int = Field(0, ge=0, le=_MOST_TOKENS)
    """What all sessions begin with: instructions and tools."""
    turn_tokens: int = Field(gt=0, le=_MOST_TOKENS)
    """New tokens of a turn's prompt: a question, or what a tool returned."""
    answer_tokens: int = Field(gt=0, le=_MOST_TOKENS)
    pause_s: float = Field(0.0, ge=0, le=_DAY_S)
    """From an answer to the next turn, mean: a tool that runs, a person who reads."""

    @property
    def mean_prompt_tokens(self) -> int:
        """Tokens of a turn's prompt, mean over the turns, what came before included."""
        grown = (self.turns - 1) * (self.turn_tokens + self.answer_tokens)
        return self.shared_tokens + self.turn_tokens + ceil(grown / 2)

    @property
    def last_tokens(self) -> int:
        """Tokens of a session after its last turn."""
        return self.shared_tokens + self.turns * (self.turn_tokens + self.answer_tokens)

    def computed_tokens(self, where: Where) -> int:
        """Tokens of a mean turn's prompt that are computed, not found, by where its session is kept.

        The GPUs' cache keeps prompts and answers, vLLM's in the host's memory prompts alone unless it is told otherwise
        (0.33 v1/kv_offload/base.py: offload_prompt_only).
        """
        if where == "nowhere":
            return self.mean_prompt_tokens - self.shared_tokens
        answers = ceil(self.answer_tokens * (self.turns - 1) / self.turns) if where == "host" else 0
        return self.turn_tokens + answers

    def found_ratio(self, where: Where) -> float:
        """Share of a mean prompt that is found."""
        return 1 - self.computed_tokens(where) / self.mean_prompt_tokens


class Offload(Value):
    """VLLM's own cache in the host's memory, of one engine."""

    size_gib: float
    """`kv_offloading_size`."""
    chunk_bytes: int
    """One block of every rank, rounded up to a page of memory."""
    chunks: int
    held_bytes: int
    """What the chunks take, in /dev/shm."""


class KeptSessions(Value):
    """Whole sessions whose context stays cached through a pause, at their last turn."""

    gpu: int
    """In the GPUs' own cache, at the low end of its size."""
    host: int
    """In the host's memory; it holds copies of what the GPUs hold too."""

    @property
    def most(self) -> int:
        """The larger one: what is in both is held twice."""
        return max(self.gpu, self.host)

    def where(self, live: int) -> Where:
        """What keeps all of so many sessions; nowhere where neither does.

        Beyond that no share of them is counted on: a cache that gives up the least recently used has, of sessions that
        come back in turn, just given up the next one.
        """
        if live <= self.gpu:
            return "gpu"
        return "host" if live <= self.host else "nowhere"


class Ceiling(Value):
    """The most live sessions that one limit allows, or why it is not known."""

    limit: Bound
    sessions: int | None
    why: str


class SessionPlan(Value):
    """The proof of a workload of sessions; `sessions --json` prints it."""

    asked: Sessions
    busy: int
    """Sessions that are answered, or wait for it, at once; the others pause."""
    block_tokens: int
    session_blocks: int
    """Blocks of one session at its last turn beyond what all share."""
    shared_blocks: int
    kept: KeptSessions
    offload: Offload | None
    """None where the GPUs' own cache keeps all, or the release's connector was not read."""
    ceilings: tuple[Ceiling, ...]
    binds: Bound | None
    """The lowest ceiling that is below the live sessions; None where all are carried."""
    computed_tokens: dict[Where, int]
    """Prompt tokens that a mean turn computes, by where its session is kept."""
    flags: tuple[str, ...]
    """What `plan`, `generate` and `update` take to have the same."""
    plan: Plan
