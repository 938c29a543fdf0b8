"""How unevenly a proxy that does not know the load fills independent replicas."""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from generator.models.speed import Scenario

_NEVER = 1e-9


def uneven(scenario: Scenario, workers: float) -> list[tuple[float, float]]:
    """Sizes of replicas over their mean, each with the share of the requests that meet it.

    A proxy of several worker processes, each of which hands its own requests out in turn from the first replica on
    (nginx, ngx_http_upstream_round_robin: without a shared zone each worker keeps its own state), gives the first
    replicas more while a worker has but few. Replicas above and below the size that a request meets on average are
    told as one each.
    """
    if scenario.balancing == "even" or scenario.replicas == 1:
        return [(1.0, 1.0)]
    sizes = _filled(scenario.concurrency, scenario.replicas, workers)
    met = sum(size * size for size in sizes) / sum(sizes)
    parts = [[s for s in sizes if s > met], [s for s in sizes if s <= met]]
    mean = sum(sizes) / len(sizes)
    return [(sum(s * s for s in part) / sum(part) / mean, sum(part) / sum(sizes)) for part in parts if sum(part)]


def _filled(requests: float, replicas: int, workers: float) -> list[float]:
    """Requests of each replica where they reach the workers as dice fall: Poisson, and in turn within a worker."""
    each = requests / workers
    sizes, term, beyond = [0.0] * replicas, exp(-each), 1.0
    turn = 0
    while beyond > _NEVER and turn < requests:
        beyond -= term
        sizes[turn % replicas] += workers * max(beyond, 0.0)
        turn += 1
        term *= each / turn
    return sizes
