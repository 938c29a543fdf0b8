"""Servers: the node's GPUs as independent servers behind a router, each with its share of the requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from generator.models.estimate import Throughput
from generator.planning.choosing.choice import has_targets, objective
from generator.planning.choosing.growth import requests_weighed
from generator.planning.choosing.scored import Scored
from generator.planning.speed.estimates import meets_targets, speed
from generator.units import ceil_div

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from generator.models.estimate import Estimate
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
    if not case.architecture.is_moe or case.cluster.nodes > 1 or case.pooling or has_targets(case):
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
            yield Servers(number, Scored(candidate, _all(found, number)), in_flight)


def copies(case: Case, options: Sequence[Scored]) -> int:
    """The fewest copies of a deployment over which the stated requests are carried and meet the targets; 0: none do."""
    for number in _COPIES:
        share = ceil_div(case.load.concurrency, number)
        for option in options:
            candidate = option.candidate
            if candidate.doubt or candidate.concurrency < share:
                continue
            if meets_targets(case, speed(case, candidate, in_flight=share)):
                return number
    return 0


_COPIES = (2, 3, 4, 6, 8, 12, 16)


def _all(found: Estimate, number: int) -> Estimate:
    """The estimate of one server with the rates of all."""
    return found.model_copy(
        update={
            "output_tokens_per_s": _times(found.output_tokens_per_s, number),
            "requests_per_s": _times(found.requests_per_s, number),
        }
    )


def _times(rate: Throughput, number: int) -> Throughput:
    return Throughput(mean=rate.mean * number, low=rate.low * number, high=rate.high * number)
