"""One argument of vLLM, explained: what it does in a release, and what a plan made of it."""

from typing import Any, Literal

from generator.models.value import Value

ChosenBy = Literal["you", "planner", "vllm"]


class OtherDefault(Value):
    """A release that gave an argument another default."""

    release: str
    before: Any
    after: Any


class ChosenValue(Value):
    """What one plan made of an argument."""

    model: str
    gpus: str
    """The GPUs in words: `2 GPUs L4-24GB`."""
    value: Any
    """None where the plan leaves it to vLLM."""
    by: ChosenBy
    """Whose value it is."""
    reason: str
    change: str
    """Options that would have another value chosen."""


class FlagExplained(Value):
    """One argument of `vllm serve` as a release has it, and as a plan uses it where one is asked about."""

    argument: str
    option: str
    vllm: str
    does: str
    """Empty for an argument of an imported release that no table describes."""
    takes: str
    choices: tuple[str, ...]
    """The only values; empty where others will do."""
    default: Any
    """None where vLLM decides when it starts."""
    since: str
    """The oldest release of the tables that has it; empty where only an imported one does."""
    oldest: str
    """The oldest release of the tables, before which nobody looked."""
    other_defaults: tuple[OtherDefault, ...]
    chosen: ChosenValue | None = None
