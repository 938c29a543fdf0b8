"""Drafting as an option: every way to draft, planned on a layout at the stated load, and when one is chosen.

It is chosen where the objective is latency and the evidence allows it: the tokens that a step gives were measured of
this very draft, and a request surely ends sooner even if a fifth fewer of the drafted tokens are kept. What is kept
hangs on the text: with one head and three drafted tokens a step gave 3.08 tokens of sums, 2.94 of code and 2.37 of
summaries, chances of 0.83, 0.80 and 0.66 (huggingface.co/RedHatAI/Llama4-Maverick-17B-128E-Instruct-speculator.eagle3).
A share that the user states was measured on the user's traffic: it takes the place of both.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from generator.errors import RequestError
from generator.models.estimate import Estimate
from generator.models.parallelism import Layout
from generator.planning.choosing.choice import carries, surely_missed_by
from generator.planning.choosing.scored import Scored
from generator.planning.drafts.ways import CONFIG, Way, ways
from generator.planning.evaluation import evaluate
from generator.planning.rules.checks import check_layout, check_request
from generator.planning.speed.estimates import speed

if TYPE_CHECKING:
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case

EXAMPLE = 0.7
"""Share of drafted tokens kept that an example has where nobody measured it; what a server keeps is in its metrics."""
_ALL = 10
_FEWER = 0.8
"""Times what was measured that must do for a choice."""


class Drafted(NamedTuple):
    """One way to draft, planned: its case, and what it gives with as many tokens kept as measured, or as an example."""

    way: Way
    case: Case
    option: Scored

    @property
    def gap(self) -> float:
        """Milliseconds from one token to the next, mean."""
        found = self.option.estimate
        return found.tpot_ms.mean if found else inf

    def at(self, rate: float) -> Estimate | None:
        """The estimate with such a share of drafted tokens kept."""
        request = self.case.request.model_copy(update={"acceptance_rate": rate})
        return speed(self.case.changed(request=request), self.option.candidate)

    def pays_from(self, gap: float) -> int | None:
        """Of ten drafted tokens the fewest that must be kept for a shorter gap than this; None where no nine do."""
        least = bisect_left(range(1, 10), 1, key=lambda kept: self._is_shorter(kept / 10, gap)) + 1
        return least if least < _ALL else None

    def _is_shorter(self, rate: float, gap: float) -> bool:
        found = self.at(rate)
        return found is not None and found.tpot_ms.mean < gap


def drafted(case: Case, chosen: Scored) -> tuple[Drafted, ...]:
    """Every way to draft that fits on the chosen layout: those that were measured first, the fastest of them first."""
    if chosen.estimate is None:
        return ()
    found = _planned(case, chosen)
    return tuple(sorted(found, key=lambda one: (not one.way.rate, one.gap)))


def preferred_drafts(case: Case, chosen: Scored) -> Case | None:
    """The case with the drafts that are chosen for it; None where none are."""
    if case.request.batching_mode != "latency" or chosen.candidate.doubt or chosen.estimate is None:
        return None
    stated = case.load.acceptance_rate
    for one in drafted(case, chosen):
        sure = stated or one.way.rate * _FEWER
        if sure and _is_able(case, one, chosen) and _surely_beats(one, sure, chosen.estimate):
            return one.case
    return None


def without_memory(case: Case, chosen: Scored) -> Drafted | None:
    """N-grams of what was said before: nothing on the GPU, and gains where answers repeat it; None where refused."""
    way = Way({"method": "ngram", "num_speculative_tokens": 3}, None)
    drafting = _drafting(case, way)
    try:
        check_request(drafting)
    except RequestError:
        return None
    return Drafted(way, drafting, chosen)


def _planned(case: Case, chosen: Scored) -> Iterator[Drafted]:
    layout = chosen.candidate.layout
    for way in ways(case, layout):
        made = _drafted(case, layout, way) if _leaves_room(chosen.candidate, way) else None
        if made is not None and made.option.candidate.verdict == "fits":
            yield made


def _drafted(case: Case, layout: Layout, way: Way) -> Drafted | None:
    """The way worked out; None where vLLM refuses it."""
    drafting = _drafting(case, way)
    try:
        check_request(drafting)
        check_layout(drafting, layout)
        made = Drafted(way, drafting, Scored(evaluate(drafting, layout), None))
    except RequestError:
        return None
    stated = case.load.acceptance_rate
    return made._replace(option=Scored(made.option.candidate, made.at(stated or way.rate or EXAMPLE)))


def _drafting(case: Case, way: Way) -> Case:
    return case.changed(fixed=case.fixed | {CONFIG: way.config}, drafts_chosen=True)


def _leaves_room(candidate: Candidate, way: Way) -> bool:
    """Whether a head's weights may leave the load its cache: what surely does not is not worked out."""
    shapes, pool = way.known.shapes if way.known else None, candidate.memory.kv_cache_available_bytes.high
    if shapes is None or not candidate.carries_load:
        return True
    held = shapes.least_bytes / candidate.layout.tensor_parallel_size
    return candidate.concurrency * (1 - held / max(pool, 1)) >= candidate.load.concurrency


def _is_able(case: Case, one: Drafted, chosen: Scored) -> bool:
    """Whether it carries as much and reads as long a context; a head is fetched, which a local model rules out."""
    candidate, shapes = one.option.candidate, one.way.known.shapes if one.way.known else None
    context = int(chosen.candidate.context.value)
    reads = shapes is None or (shapes.max_position_embeddings or 0) >= context
    fetched = shapes is None or case.facts.source != "local"
    same = int(candidate.context.value) >= context and carries(one.case, one.option) >= carries(case, chosen)
    return reads and fetched and same and surely_missed_by(one.case, one.option) <= surely_missed_by(case, chosen)


def _surely_beats(one: Drafted, rate: float, without: Estimate) -> bool:
    found = one.at(rate)
    return found is not None and found.e2e_ms.high < without.e2e_ms.high
