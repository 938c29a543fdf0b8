"""Tuning: the values that are searched, and what each step of the search came to."""

from typing import Any, Literal

from pydantic import Field

from generator.models.value import Value

Outcome = Literal["the plan", "kept", "no better", "refused", "did not start", "not measured"]
MEASURED: frozenset[Outcome] = frozenset({"the plan", "kept", "no better"})
STARTED: frozenset[Outcome] = MEASURED | {"did not start", "not measured"}
"""Outcomes of steps that took a start of the server."""


class Option(Value):
    """One value of a knob, in a word, and the engine values that it stands for."""

    word: str
    values: dict[str, Any] = Field(default_factory=dict)


class Knob(Value):
    """What is searched: its options, the plan's own first."""

    name: str
    options: tuple[Option, ...]

    def values_of(self, word: str) -> dict[str, Any]:
        """The engine values of the option that `word` names."""
        return next(one.values for one in self.options if one.word == word)


class HeldOut(Value):
    """Scores on prompts that nothing is chosen by: their mean, and their spread as a share of it."""

    mean: float
    spread: float


class Tried(Value):
    """One step of the search."""

    step: int
    words: dict[str, str]
    """The option of each knob."""
    outcome: Outcome
    why: str = ""
    """Why it was refused, or did not start; else empty."""
    score: float | None = None
    """On the prompts that the search sees."""
    held: HeldOut | None = None
    """On the prompts that it does not see; measured only where the other score is the best yet."""
    commit: str = ""
    """The commit that holds the values, where they were kept."""


class Tuned(Value):
    """What a search found, as far as it went."""

    path: str
    unit: str
    knobs: tuple[Knob, ...]
    tried: tuple[Tried, ...]
    best: Tried
    overrides: dict[str, Any]
    """The winner's engine values, where it is not the plan."""
    branch: str
    base: str
    """What was checked out before, and is again."""
    files: tuple[str, ...] = ()
    ended: str
    """Why the search stopped, in words."""

    @property
    def plan(self) -> Tried:
        """The first step: the plan as it stands."""
        return self.tried[0]
