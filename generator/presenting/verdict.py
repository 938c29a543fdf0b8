"""The verdict in words, alike on a screen, on a page and in a repository, and what is said where nothing fits."""

from collections.abc import Iterator
from typing import NamedTuple

from generator.errors import InfeasiblePlanError
from generator.models.plan import Plan, Repair
from generator.presenting.text import gib_text, plural


class Headline(NamedTuple):
    """The worst answer: a word, what it means beyond the word, and which answer it is."""

    word: str
    meaning: str
    answer: str


_FITS = {
    "fits": Headline("Fits", "even at the high end of every estimate", "yes"),
    "doubted": Headline("Fits", "with a start in doubt", "doubtful"),
    "tight": Headline("Tight", "at the expected value, not at the high end", "doubtful"),
    "does_not_fit": Headline("Does not fit", "on these GPUs", "no"),
}
_WORSE = {
    ("carries", "no"): "Starts, does not carry the workload",
    ("carries", "doubtful"): "Starts, may not carry the workload",
    ("meets", "no"): "Starts, misses a target",
    ("meets", "doubtful"): "Starts, may be too slow",
}
"""The headline where vLLM starts and something else is worse."""
_ASKED = {"starts": "It starts", "carries": "It carries the workload", "meets": "It meets the targets"}


def headline_of(plan: Plan) -> Headline:
    """The worst of the plan's answers."""
    found = plan.feasibility
    worst = getattr(found, found.worst)
    words = _WORSE.get((found.worst, worst.answer))
    if words is not None:
        return Headline(words, "", worst.answer)
    doubted = found.verdict == "fits" and found.starts.answer == "doubtful"
    return _FITS["doubted" if doubted else found.verdict]


def verdict_text(plan: Plan) -> str:
    """The whole verdict as sentences: headline with the risk, then each answer that was asked for with its reason."""
    head = headline_of(plan)
    between = " " if head.answer == "no" else ", "
    first = f"{head.word}{f'{between}{head.meaning}' if head.meaning else ''}"
    risk = f"; risk of running out of memory: {plan.feasibility.oom_risk}"
    return f"{'. '.join((f'{first}{risk}', *_answers(plan, head.meaning)))}."


def _answers(plan: Plan, said: str) -> Iterator[str]:
    """Each answer with its reason, unless the headline has given it."""
    for name, what in _ASKED.items():
        one = getattr(plan.feasibility, name)
        if one.is_asked:
            yield f"{what}: {one.answer}" + f" ({one.why})" * bool(one.why and one.why != said)


def infeasible(plan: Plan, repairs: tuple[Repair, ...] = ()) -> InfeasiblePlanError:
    """The error of a plan that does not fit; with the repairs that nobody has shown yet."""
    return InfeasiblePlanError(shortfall_line(plan), shortfall_bytes=plan.feasibility.shortfall_bytes, repairs=repairs)


def shortfall_line(plan: Plan) -> str:
    """One line: by how much the plan does not fit, and the next step."""
    short = plan.feasibility.shortfall_bytes
    first = ""
    if plan.repairs:
        costs = ", which costs accuracy" if "costs accuracy" in plan.repairs[0].title else ""
        first = f"; try {' '.join(plan.repairs[0].flags)}{costs}"
    return (
        f"{plan.model.id} does not fit on {plural(plan.layout.ranks, 'GPU')} of {plan.cluster.gpu.name}: "
        f"{gib_text(short)} short on each{first}"
    )
