"""Sentences: what may be said of a plan, and when it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case

    When = Callable[[Case, Candidate], "Figures | None"]

Figures = dict[str, object]
"""What fills a text's `{name}`; where there is none, the text is not said."""


class Sentence(NamedTuple):
    """What may be said of a plan, and when it is."""

    kind: Literal["advisory", "warning"]
    text: str
    when: When


def says(kind: Literal["advisory", "warning"], text: str) -> Callable[[When], Sentence]:
    """What makes a sentence of a function that says when it is true."""
    return lambda when: Sentence(kind, text, when)
