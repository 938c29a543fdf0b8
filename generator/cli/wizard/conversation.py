"""From open questions to one chosen answer: ask, show the answers side by side, change, pick, agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from generator.cli import console, report
from generator.cli.options import request_from
from generator.cli.picture import memory_picture
from generator.cli.wizard import asking
from generator.cli.wizard.flow import Talk
from generator.cli.wizard.offers import offers, proven
from generator.cli.wizard.replies import DIRECTORY
from generator.errors import GeneratorError
from generator.operations.generate import settled
from generator.presenting.board import board
from generator.rendering.questions import Question, questions

if TYPE_CHECKING:
    from generator.cli.knowing import Known
    from generator.cli.wizard.offers import Offer
    from generator.workflow import Proof

_DIRECTORY = Question(name=DIRECTORY, help="New directory", type="str", default="{{ service }}")
_CHANGE, _EXPLAIN, _LEAVE = "change", "explain", "leave"
_ACTIONS = (
    ("Change an answer, or one that nobody asked", _CHANGE),
    ("Explain every value of the first", _EXPLAIN),
    ("Leave; nothing is written", _LEAVE),
)
_HELP = (
    "Each line is a proven plan: GPUs of one node, how they share the model, format of the weights, the longest "
    "context in tokens, room for so many requests at once, time to the first token and for each further one, price "
    "of an hour, risk of running out of memory. The first is what you asked for; Enter takes the marked one."
)

_WELCOME = "A few questions, then plans to choose from. ? explains, < goes back, Ctrl-C leaves and writes nothing."


class Agreed(NamedTuple):
    """What a person has agreed to."""

    proof: Proof
    answers: dict[str, Any]


def converse(stated: Mapping[str, Any], known: Known, *, template: str | None) -> Agreed:
    """The plan that a person chose, and all answers, the new directory's among them.

    Raises:
        KeyboardInterrupt: the person stopped; nothing has happened.
        GeneratorError: what was stated on the command line is refused.
    """
    talk = Talk((*questions(template), _DIRECTORY), stated, known)
    console.tell(_WELCOME, "dim")
    if stated.get("model"):
        known.of(request_from(dict(stated)))
    talk.ask_open()
    found = _offered(talk, known)
    while True:
        chosen: Any = _picked(found) if found else _CHANGE
        if chosen == _LEAVE:
            raise KeyboardInterrupt
        if chosen == _EXPLAIN:
            report.show_plan(found[0].proof.plan, explain=True)
        elif chosen is asking.Turn.HELP:
            console.tell(_HELP)
        elif chosen == _CHANGE or chosen is asking.Turn.BACK:
            found = _offered(talk, known) if talk.change() else found
        elif _is_agreed(found[chosen].proof, talk.answers[DIRECTORY]):
            return Agreed(found[chosen].proof, talk.answers)


def _offered(talk: Talk, known: Known) -> tuple[Offer, ...]:
    """The answers side by side; none, and a word why, where vLLM would refuse what is asked for."""
    try:
        request = settled(request_from(talk.answers))
        with console.waiting("planning"):
            proof = proven(request, known)
        return offers(proof, known, settled)
    except GeneratorError as error:
        console.tell(str(error), "yellow")
        return ()


def _picked(found: tuple[Offer, ...]) -> Any:
    """The number of the offer that is picked, or what to do instead."""
    plan = found[0].proof.plan
    console.show("")
    for line in (*report.headline_rows(plan), *report.answer_rows(plan)):
        console.show(line)
    methods = [offer.proof.facts.checkpoint.quantization for offer in found]
    pairs = [(offer.proof.plan, one.method if one else "") for offer, one in zip(found, methods, strict=True)]
    headings, *rows = board(pairs, console.width() - 5)
    choices = [*((row, number) for number, row in enumerate(rows)), *_ACTIONS]
    console.show(f"\n   [bold]{console.escaped(headings)}[/bold]")
    chosen = asking.one_of("Which one?", choices, _first_that_fits(found), leaves=False)
    if isinstance(chosen, int):
        console.show(f" [bold]>[/bold] {console.escaped(rows[chosen])}")
        console.tell(found[chosen].title, "dim")
    return chosen


def _first_that_fits(found: tuple[Offer, ...]) -> int:
    """The offer that Enter takes: the first that can be generated at all."""
    fits = (number for number, offer in enumerate(found) if offer.proof.plan.feasibility.verdict != "does_not_fit")
    return next(fits, 0)


def _is_agreed(proof: Proof, directory: str) -> bool:
    """Whether a person takes this plan there; no is what Enter means where something is amiss."""
    plan = proof.plan
    if plan.feasibility.verdict == "does_not_fit":
        console.tell("It does not fit, so that nothing can be generated: pick another, or change an answer.", "yellow")
        return False
    for line in memory_picture(plan):
        console.show(line)
    found = plan.feasibility
    amiss = found.verdict != "fits" or "no" in {found.carries.answer, found.meets.answer} or found.oom_risk == "HIGH"
    return asking.agreed(f"Generate {directory}?", default=not amiss)
