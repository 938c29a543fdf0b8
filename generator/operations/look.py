"""Look: one thing that `check` looks at, and how its finding is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from generator.operations.state import State

    Find = Callable[[State], Iterator[str]]

Severity = Literal["error", "warning", "note"]


class Look(NamedTuple):
    """One thing that `check` looks at, by the name that its finding bears."""

    name: str
    message: str
    find: Find


def says(message: str) -> Callable[[Find], Look]:
    """The look that a function is, with the text of its finding."""
    return lambda find: Look(find.__name__.removeprefix("_"), message, find)
