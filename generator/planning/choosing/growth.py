"""Growth: which layout serves a load that nobody stated, where replicas of one server share nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from generator.models.estimate import Estimate
from generator.planning.speed.estimates import speed

if TYPE_CHECKING:
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case
    from generator.planning.choosing.scored import Scored


def weighs_growth(case: Case, first: Scored) -> bool:
    """Whether a layout is weighed at more than the preset's requests, which are nobody's wish and few for a node.

    Replicas of a mixture in one engine share experts and step together, so that they are weighed as they stand.
    """
    asked = case.request
    stated = asked.concurrency or asked.ttft_ms or asked.tpot_ms or asked.requests_per_s
    balanced = asked.batching_mode == "balanced" and not stated and case.pooling is None
    many = case.cluster.gpus_per_node > 1 and case.cluster.nodes == 1
    return balanced and many and not case.architecture.is_moe and not _is_in_doubt(first)


def grown(case: Case, options: Sequence[Scored], first: Scored) -> Scored:
    """The option with the smallest groups of GPUs that no other one surely beats at the preset's requests on each GPU.

    "Surely" is by more than the range of the estimates; small groups exchange nothing, and fail alone.
    """
    in_flight = requests_weighed(case)
    found = [(option, timed(case, option.candidate, in_flight)) for option in _able(options, first)]
    rated = [(option, rate.output_tokens_per_s) for option, rate in found if rate is not None]
    most = max((rate.low for _, rate in rated), default=0.0)
    equal = [(option, rate) for option, rate in rated if rate.mean >= most]
    return min(equal, key=lambda one: (one[0].candidate.layout.tensor_parallel_size, -one[1].low), default=(first,))[0]


def timed(case: Case, candidate: Candidate, in_flight: int) -> Estimate | None:
    """The candidate's estimate at a load, worked out once: the best, the runner-up and its reason ask for the same."""
    key = (id(candidate), in_flight, case.servers)
    known = case.common.timed
    if key not in known:
        known[key] = (candidate, speed(case, candidate, in_flight=in_flight))
    return known[key][1]


def requests_weighed(case: Case) -> int:
    """The requests in flight that layouts are weighed at: those stated, else the preset's for each GPU of the node."""
    stated = case.request.concurrency or case.in_flight
    return case.load.concurrency * (1 if stated else case.cluster.total_gpus)


def _able(options: Sequence[Scored], first: Scored) -> list[Scored]:
    """Options that use as many GPUs, start as surely and serve as long a context."""
    own = first.candidate
    return [
        one
        for one in options
        if one.candidate.layout.ranks >= own.layout.ranks
        and one.candidate.layout.pipeline_parallel_size <= own.layout.pipeline_parallel_size
        and one.candidate.doubt <= own.doubt
        and one.candidate.carries_load >= own.carries_load
        and int(one.candidate.context.value) >= int(own.context.value)
    ]


def _is_in_doubt(first: Scored) -> bool:
    return bool(first.candidate.doubt) or first.estimate is None
