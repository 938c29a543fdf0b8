"""Verified: a start beside the plan that it was made from, item by item."""

from typing import Literal

from generator.models.boot import Boot
from generator.models.plan import Repair
from generator.models.value import Value

Unit = Literal["bytes", "tokens", "requests", "blocks", "text"]


class ItemCompared(Value):
    """One item of a start beside the plan's."""

    item: str
    unit: Unit
    planned: float | str | None
    low: float | None = None
    high: float | None = None
    found: float | str | None
    """None where the log does not say it."""
    inside: bool | None
    """Whether it lies in the plan's range; None where nothing can be compared."""
    why: str = ""
    """What explains a difference."""


class Verified(Value):
    """A start beside the plan."""

    boot: Boot
    items: tuple[ItemCompared, ...] = ()
    notes: tuple[str, ...] = ()
    """What is to be known before the items are read: another release, changed values, other processes."""
    repairs: tuple[Repair, ...] = ()
    """What would start, by the planner's proof."""
    recordable: bool = False
    """Whether `--record` would mend it: what this start showed leads to another plan."""

    @property
    def outside(self) -> tuple[ItemCompared, ...]:
        """Items that left the plan's range."""
        return tuple(one for one in self.items if one.inside is False)

    @property
    def failed(self) -> bool:
        """Whether the start ended in an error."""
        return self.boot.failure is not None
