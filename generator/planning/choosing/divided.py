"""Divided caches as a choice: ranks of a tensor-parallel group that share each sequence's cache (`-dcp`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.models.parallelism import Layout
from generator.planning.choosing.scored import Scored, scored
from generator.planning.choosing.variants import DIVIDED, divides_caches
from generator.planning.evaluation import evaluate
from generator.planning.rules.checks import check_layout

if TYPE_CHECKING:
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case


def divided(case: Case, options: Sequence[Scored]) -> tuple[Scored, ...]:
    """Options whose ranks share caches, where the widest group has no room for the load that is stated.

    Ranks of a group each keep all latents, or the same few heads, unless their caches are divided.
    """
    may = divides_caches(case) and case.states_load and not case.speculation.method
    if not may or case.pooling or case.cluster.nodes > 1:
        return ()
    return scored(case, tuple(_candidates(case, options)))


def _candidates(case: Case, options: Sequence[Scored]) -> Iterator[Candidate]:
    """The widest group that starts and has too little room, with each number of ranks that divides it."""
    alone = [
        one.candidate for one in options if one.candidate.layout.ranks == one.candidate.layout.tensor_parallel_size
    ]
    widest = max((one.layout.ranks for one in alone), default=0)
    for candidate in alone:
        if candidate.layout.ranks < widest or candidate.doubt or candidate.carries_load:
            continue
        for size in range(2, widest + 1):
            made = None if widest % size else _evaluated(case, candidate.layout, size)
            if made is not None and made.verdict == "fits":
                yield made


def _evaluated(case: Case, layout: Layout, size: int) -> Candidate | None:
    """The layout with divided caches, worked out; None where vLLM refuses it."""
    parted = layout.model_copy(update={DIVIDED: size})
    try:
        check_layout(case, parted)
        return evaluate(case, parted)
    except RequestError:
        return None
