"""The verdict as a person reads it: its worst answer first, then each of the three in its own words and colour."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from generator.presenting.text import tokens_text
from generator.presenting.verdict import headline_of

if TYPE_CHECKING:
    from generator.models.plan import Plan

_COLOURS = {"yes": "green", "doubtful": "yellow", "no": "red", "not_asked": "dim"}


def headline(plan: Plan) -> str:
    """The worst of the three answers as markup, with the risk of running out of memory."""
    worst, colour = headline_of(plan), _COLOURS[headline_of(plan).answer]
    risk = "" if plan.feasibility.verdict == "does_not_fit" else f"; OOM risk {plan.feasibility.oom_risk}"
    meaning = f" {worst.meaning}" if worst.meaning else ""
    return f"[bold {colour}]{worst.word.upper()}[/bold {colour}]{meaning}{risk}"


def answers(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """Label, text and colour of each answer that was asked for, and of a context that is cut."""
    for name in ("starts", "carries", "meets"):
        one = getattr(plan.feasibility, name)
        if one.answer != "not_asked":
            yield name.capitalize(), f"{one.answer}: {one.why}" if one.why else one.answer, _COLOURS[one.answer]
    cut = context_line(plan)
    if cut:
        yield "Context", cut, "default"


def context_line(plan: Plan) -> str:
    """Why the context is shorter than the model's own, and what would raise it; empty where it is not."""
    made = next((one for one in plan.decisions if one.field == "max_model_len"), None)
    own = plan.model.context_tokens
    if made is None or not isinstance(made.value, int) or not 0 < made.value < own:
        return ""
    more = f"; to raise it: {made.change}" if made.change else ""
    return f"{tokens_text(made.value)} of the model's {tokens_text(own)}: {made.reason}{more}"
