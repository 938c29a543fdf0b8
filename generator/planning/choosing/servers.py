"""Servers: the node's GPUs as independent servers behind a router, each with its share of the requests."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from generator.planning.choosing.choice import has_targets, objective
from generator.planning.choosing.growth import requests_weighed
from generator.planning.choosing.scored import Scored
from generator.planning.speed.estimates import meets_targets, of_all, speed
from generator.units import ceil_div

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from generator.planning.case import Case


class Servers(NamedTuple):
    """So many servers of one layout: what all of them deliver, at so many requests in flight over all."""

    number: int
    option: Scored
    in_flight: int


def servers(case: Case, options: Sequence[Scored]) -> tuple[Servers, ...]:
    """Every way to cut the node into servers of one replica that carry the load, the best first.

    Of a mixture of experts alone: replicas of other models in one engine share nothing, and deliver the same.
    """
    several = case.cluster.nodes > 1 or case.request.servers > 1
    if not case.architecture.is_moe or several or case.pooling or has_targets(case):
        return ()
    return tuple(sorted(_servers(case, options), key=lambda one: objective(case, one.option)))


def _servers(case: Case, options: Sequence[Scored]) -> Iterator[Servers]:
    total, in_flight = case.cluster.total_gpus, requests_weighed(case)
    for option in options:
        layout, candidate = option.candidate.layout, option.candidate
        number = total // layout.ranks
        plain = layout.data_parallel_size == layout.pipeline_parallel_size == 1 and not layout.enable_expert_parallel
        if number < 2 or total % layout.ranks or not plain or candidate.verdict != "fits":  # noqa: PLR2004 - several
            continue
        share = ceil_div(in_flight, number)
        found = speed(case, candidate, in_flight=share)
        if found is not None and candidate.concurrency >= share:
            yield Servers(number, Scored(candidate, of_all(found, number)), in_flight)


def copies(case: Case, options: Sequence[Scored]) -> int:
    """The fewest copies of a deployment over which the stated requests are carried and meet the targets; 0: none do."""
    numbers = range(1, min(_MOST_COPIES, case.load.concurrency) + 1)
    if not _does(case, options, numbers[-1]):
        return 0
    return numbers[bisect_left(numbers, 1, key=lambda number: _does(case, options, number))]


def _does(case: Case, options: Sequence[Scored], number: int) -> bool:
    """Whether a layout carries the share of each of so many copies, and meets the targets with it."""
    share = ceil_div(case.load.concurrency, number)
    able = (one.candidate for one in options if not one.candidate.doubt and one.candidate.concurrency >= share)
    return any(meets_targets(case, speed(case, candidate, in_flight=share)) for candidate in able)


_MOST_COPIES = 64
