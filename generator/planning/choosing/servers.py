"""Servers: the node's GPUs as independent servers behind a router, each with its share of the requests."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from math import exp
from typing import TYPE_CHECKING, NamedTuple

from generator.errors import RequestError
from generator.models.estimate import Estimate
from generator.models.parallelism import Layout
from generator.planning.choosing.choice import has_targets, objective, room
from generator.planning.choosing.growth import requests_weighed, timed
from generator.planning.choosing.scored import Scored
from generator.planning.evaluation import evaluate
from generator.planning.layouts import fixed_sizes
from generator.planning.speed.estimates import meets_targets, of_all, speed
from generator.planning.speed.evidence import EXPERTS
from generator.units import ceil_div

if TYPE_CHECKING:
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case

_GROWTH = 2
"""Times the requests that a layout is weighed at, for which a server has room where nobody stated them."""
_OF_ONE_ENGINE = frozenset({"kv_transfer_config", "kv_offloading_size", "cpu_offload_gb", "enable_eplb"})
"""Engine values that speak of one engine, or of memory of the host that every server would take."""


class Servers(NamedTuple):
    """So many servers of one layout: what all of them deliver, at so many requests in flight over all."""

    number: int
    option: Scored
    in_flight: int


def servers(case: Case, options: Sequence[Scored]) -> tuple[Servers, ...]:
    """Every way to cut the node into servers of one replica that carry the load, the best first.

    Of a mixture of experts alone: replicas of other models in one engine share nothing, and deliver the same.
    """
    several = case.cluster.nodes > 1 or case.servers > 1
    if not case.architecture.is_moe or several or case.pooling or has_targets(case):
        return ()
    return tuple(sorted(_servers(case, options), key=lambda one: objective(case, one.option)))


def preferred(case: Case, options: Sequence[Scored], chosen: Scored) -> Servers | None:
    """The servers that serve better than every engine over the same GPUs; None where none do, or one is stated.

    At a stated load by more than the range of the estimate: their figure at its pessimistic end is better than the mean
    of the best engine's. Where nobody stated a load, the best engine's mean is no better than estimates of two layouts
    of experts tell apart, so that small groups decide, as they do for replicas that share nothing: these servers are of
    one GPU each, which exchange nothing and fail alone, with room for more than they are weighed at. Between these and
    one engine over all GPUs published recipes cut no node (vllm-project/recipes src/lib/command-synthesis.js,
    autoFitTp). They serve as long a context.
    """
    if not _may_choose(case) or chosen.candidate.doubt or chosen.estimate is None:
        return None
    able = [one for one in servers(case, options) if _is_able(case, one, chosen)]
    return able[0] if able and _beats(case, able[0], options) else None


def one_engine(case: Case, option: Scored) -> Estimate | None:
    """What one engine delivers at the requests in flight that servers are weighed at."""
    return timed(case, option.candidate, requests_weighed(case))


def _may_choose(case: Case) -> bool:
    """Whether the number of servers is the planner's to choose, and the load one that may be spread.

    A family whose recipe spreads whole experts over all GPUs is cut for a stated load alone.
    """
    asked = case.request
    if asked.servers or fixed_sizes(case.fixed, case.left_to_vllm) or _OF_ONE_ENGINE & case.fixed.keys():
        return False
    family = case.tables.serving.family
    over_the_node = bool(family and family.whole_experts)  # as its published recipe has it
    return bool(asked.concurrency) or (asked.batching_mode != "latency" and not over_the_node)


def _is_able(case: Case, one: Servers, chosen: Scored) -> bool:
    candidate, stated = one.option.candidate, bool(case.request.concurrency)
    share = ceil_div(one.in_flight, one.number)
    long = case.asked_context or int(candidate.context.value) >= int(chosen.candidate.context.value)
    roomy = stated or (candidate.layout.ranks == 1 and candidate.concurrency >= _GROWTH * share)
    return bool(long) and roomy and one.in_flight >= one.number


def _beats(case: Case, several: Servers, options: Sequence[Scored]) -> bool:
    """Whether servers surely beat the best engine where the load is stated, else whether the two are not told apart.

    The best by the pessimistic end of its range, as everywhere: the mean of one in doubt holds no servers up.
    """
    timed_at = [Scored(one.candidate, one_engine(case, one)) for one in options if one.candidate.verdict == "fits"]
    rival = min(timed_at, key=lambda one: objective(case, one), default=several.option).estimate
    mine = several.option.estimate
    if mine is None or rival is None:
        return False
    if case.request.batching_mode == "latency":
        return mine.e2e_ms.high < rival.e2e_ms.mean
    own, other = mine.output_tokens_per_s, rival.output_tokens_per_s
    return own.low > other.mean if case.request.concurrency else own.mean * exp(EXPERTS) > other.mean


def _servers(case: Case, options: Sequence[Scored]) -> Iterator[Servers]:
    total, in_flight = case.cluster.total_gpus, requests_weighed(case)
    for option in options:
        layout, candidate = option.candidate.layout, option.candidate
        number = total // layout.ranks
        plain = layout.data_parallel_size == layout.pipeline_parallel_size == 1 and not layout.enable_expert_parallel
        if number < 2 or total % layout.ranks or not plain or candidate.verdict != "fits":  # noqa: PLR2004 - several
            continue
        share = ceil_div(in_flight, number)
        made = _of_share(case.on_servers(number, in_flight), layout)
        if made is None or made.verdict != "fits" or made.concurrency < share:
            continue
        found = speed(case, made, in_flight=share)
        if found is not None:
            busy = in_flight / share  # servers whose share is full
            yield Servers(number, Scored(made, of_all(found, busy)), in_flight)


def _of_share(share: Case, layout: Layout) -> Candidate | None:
    """The layout at the batch limits of one server's share, which are chosen by its load; None where it is refused."""
    try:
        return evaluate(share, layout)
    except RequestError:
        return None


def copies(case: Case, options: Sequence[Scored]) -> int:
    """The fewest copies of a deployment over which the stated requests are carried and meet the targets; 0: none do."""
    numbers = range(1, min(_MOST_COPIES, case.load.concurrency) + 1)
    if not _does(case, options, numbers[-1]):
        return 0
    return numbers[bisect_left(numbers, 1, key=lambda number: _does(case, options, number))]


def _does(case: Case, options: Sequence[Scored], number: int) -> bool:
    """Whether a layout carries the share of each of so many copies, and meets the targets with it."""
    share = ceil_div(case.load.concurrency, number)
    able = (one.candidate for one in options if not one.candidate.doubt and room(case, one.candidate) >= share)
    return any(meets_targets(case, speed(case, candidate, in_flight=share)) for candidate in able)


_MOST_COPIES = 64
