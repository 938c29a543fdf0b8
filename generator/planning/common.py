"""Common: what cases share that differ in their load, or in how many GPUs a node has; each thing is worked out once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

from generator.models.estimate import Estimate
from generator.models.parallelism import Layout
from generator.models.speed import Footprint
from generator.models.workload import Workload

if TYPE_CHECKING:
    from generator.planning.defaults import BatchLimits
    from generator.planning.replica import Replica
    from generator.planning.weights.rank import RankWeights


class Common(NamedTuple):
    """What was worked out already, by what it depends on; handed from one case to the next by `Case.beside` alone."""

    replicas: dict[tuple[tuple[int, ...], BatchLimits], Replica]
    """By `Layout.of_engine`."""
    weights: dict[tuple[int, ...], RankWeights]
    accepted: set[Layout]
    """Layouts that vLLM starts where there are GPUs enough."""
    candidates: dict[tuple[Layout, Workload], Any]
    """Layouts as the planner worked them out."""
    timed: dict[tuple[int, int, int], tuple[object, Estimate | None]]
    """Candidates with their estimates, by identity, requests in flight and servers; each stays alive with its own."""
    footprints: dict[tuple[Layout, int, float], tuple[RankWeights, Footprint]]
    """By layout, identity of the weights (which stay alive) and bytes of a cached element."""

    limits: dict[int, BatchLimits]
    """vLLM's own, by the context that they are asked for."""

    @classmethod
    def nothing(cls) -> Self:
        """Nothing worked out yet."""
        return cls({}, {}, set(), {}, {}, {}, {})
