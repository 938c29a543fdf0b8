"""Packing: how many requests in flight a replica takes, where a rate is stated and they are not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from generator.models.estimate import Estimate
from generator.planning.choosing.choice import surely_missed_by
from generator.planning.choosing.growth import timed
from generator.planning.choosing.scored import Scored
from generator.planning.evaluation import evaluated
from generator.planning.speed.roofline import replicas_for

if TYPE_CHECKING:
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case

_CLOSE = 50
"""Part of the requests in flight to which their number is sought."""
_TRIES = 3
"""Times that fewer requests are tried; each takes off what the step before was short of."""


def packed(case: Case, candidates: Sequence[Candidate]) -> Case:
    """The case with the requests in flight on a replica that serve the stated rate on the fewest GPUs.

    By Little's law they follow from the rate and a request's time; the targets bound them, and the cache. Of those that
    take as few GPUs the fewest, as each waits the least. A case that states them, or no rate, stays as it is.
    """
    rate = case.request.targets.requests_per_s
    if rate is None or case.request.concurrency or case.in_flight or case.pooling:
        return case
    found = []
    for candidate in candidates:
        number, estimate = _fullest(case, candidate)
        if estimate is not None:
            layout = candidate.layout
            found.append((_gpus(rate, layout.ranks, estimate), layout.ranks, estimate.tpot_ms.mean, number, candidate))
    if not found:
        return case
    gpus, ranks, _, number, candidate = min(found, key=lambda one: one[:3])
    for fewer in _numbers(case, candidate):
        estimate = timed(case, candidate, fewer)
        if fewer < number and estimate is not None and _gpus(rate, ranks, estimate) == gpus:
            number = fewer
    return held_surely(case, candidate, number)


def held_surely(case: Case, candidate: Candidate, number: int) -> Case:
    """The case at so many requests, or at the most of them that a layout's limits for such a load surely hold.

    Limits are chosen by the load, and more sequences leave the cache less than the candidate's own have.
    """
    full = case.beside(in_flight=number)
    for _ in range(_TRIES):
        each = evaluated(full, candidate.layout).sure_concurrency // candidate.layout.data_parallel_size
        if each >= full.load.concurrency or each < 1:
            break
        full = case.beside(in_flight=each * candidate.layout.data_parallel_size)
    return full


def _gpus(rate: float, ranks: int, estimate: Estimate) -> int:
    return ranks * replicas_for(rate, estimate)


def _fullest(case: Case, candidate: Candidate) -> tuple[int, Estimate | None]:
    """About the most requests in flight that a replica surely holds, and that surely meet the targets."""
    most = 0
    for number in () if candidate.doubt else _numbers(case, candidate):
        if timed(case, candidate, number) is None:
            break
        if _meets(case, candidate, number):
            found = _between(case, candidate, number, most)
            return found, timed(case, candidate, found)
        most = number
    return 0, None


def _between(case: Case, candidate: Candidate, met: int, missed: int) -> int:
    """About the most requests that meet the targets, between `met`, which do, and `missed`, which do not; 0: all do."""
    while missed - met > max(1, met // _CLOSE):
        middle = (met + missed) // 2
        met, missed = (middle, missed) if _meets(case, candidate, middle) else (met, middle)
    return met


def _meets(case: Case, candidate: Candidate, number: int) -> bool:
    return not surely_missed_by(case, Scored(candidate, timed(case, candidate, number)))


def _numbers(case: Case, candidate: Candidate) -> Iterator[int]:
    admitted = int(candidate.sequences.value) * candidate.layout.data_parallel_size
    number = min(candidate.sure_concurrency, admitted)
    while number > case.load.concurrency:
        yield number
        number = number * 3 // 4
    yield case.load.concurrency
