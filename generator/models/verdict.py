"""The verdict on a plan: its word, its risk, and its three answers."""

from typing import Literal

from generator.models.value import Value

Verdict = Literal["fits", "tight", "does_not_fit"]
OOMRisk = Literal["LOW", "MEDIUM", "HIGH"]


class Answer(Value):
    """One of the verdict's three answers, and why."""

    answer: Literal["yes", "doubtful", "no", "not_asked"]
    why: str = ""

    @property
    def is_asked(self) -> bool:
        """Whether anybody asked."""
        return self.answer != "not_asked"


class Feasibility(Value):
    """The verdict: fits even at the high end, tight at the expected value only, does_not_fit; and its three answers."""

    verdict: Verdict
    fits: bool
    oom_risk: OOMRisk
    headroom_bytes: int
    shortfall_bytes: int
    max_concurrency_at_context: int
    max_context_at_concurrency: int
    starts: Answer
    """Whether vLLM starts: memory and rules; the exit status follows it alone."""
    carries: Answer
    """Whether the workload's requests are all held at once, at their lengths."""
    meets: Answer
    """Whether the stated targets are met."""

    @property
    def falls_short(self) -> tuple[str, ...]:
        """What the server starts without: the answers beside `starts` that are no, each with its reason."""
        asked = {"the workload is not carried": self.carries, "a target is missed": self.meets}
        return tuple(f"{what}: {one.why}" for what, one in asked.items() if self.fits and one.answer == "no")

    @property
    def worst(self) -> str:
        """Name of the first answer that is worst: `starts`, `carries` or `meets`."""
        order = ("no", "doubtful", "yes", "not_asked")
        return min(("starts", "carries", "meets"), key=lambda name: order.index(getattr(self, name).answer))
