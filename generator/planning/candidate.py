"""Candidate: one layout worked out: limits, memory of every stage, cache, verdict."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, cast

from generator.models.parallelism import Layout
from generator.models.plan import MemoryBudget
from generator.models.value import Made
from generator.models.verdict import OOMRisk, Verdict
from generator.models.workload import Workload
from generator.planning import limits
from generator.planning.attempts import Attempt, own, replica_load
from generator.planning.defaults import BatchLimits
from generator.planning.limits import Limit
from generator.planning.memory import budget as budgets
from generator.planning.memory.evidence import encoder_doubt
from generator.planning.memory.shares import (
    budget_share,
    chosen_utilization,
    overdrawn,
    refuse_taken_memory,
    start_risk,
)
from generator.planning.memory.stages import stage_budgets
from generator.planning.rules.states import state_blocks

if TYPE_CHECKING:
    from generator.planning.case import Case
    from generator.planning.kv_cache.layout import CacheLayout
    from generator.planning.replica import Replica
    from generator.planning.weights.rank import RankWeights

ASSUMED = "vLLM's assumed"
"""Whose word a context is that config.json does not name."""
_VERDICTS: tuple[Verdict, ...] = ("fits", "tight", "does_not_fit")
_RISKS: tuple[OOMRisk, ...] = ("LOW", "MEDIUM", "HIGH")


class Candidate(Made):
    """One layout with its limits and what they cost; the stages in order."""

    replica: Replica
    weights: RankWeights
    stages: tuple[MemoryBudget, ...]
    sequences: Limit
    tokens: Limit
    context: Limit
    utilization: Limit
    load: Workload
    """The workload of one engine replica."""
    state_blocks: int = 0
    """Blocks that vLLM asks for before it captures graphs, one for the state of each admitted sequence; 0 for none."""
    start_risk: OOMRisk = "LOW"
    """The risk that others hold too much of the GPU for the utilization, whatever the cache needs."""
    verdict: Verdict
    oom_risk: OOMRisk
    overdrawn_bytes: int = 0
    """Bytes of one GPU that are taken beyond all that it has, before vLLM asks for any."""

    @property
    def layout(self) -> Layout:
        """Parallel sizes."""
        return self.replica.layout

    @property
    def cache(self) -> CacheLayout:
        """The cache of every stage."""
        return self.replica.cache

    @property
    def worst_stage(self) -> int:
        """Index of the stage whose pool holds the fewest blocks."""
        blocks = [
            stage.kv_cache_available_bytes.expected / max(1, size)
            for stage, size in zip(self.stages, self.cache.bytes_per_block, strict=True)
        ]
        return blocks.index(min(blocks))

    @property
    def memory(self) -> MemoryBudget:
        """Budget of the worst stage."""
        return self.stages[self.worst_stage]

    @property
    def drafted_bytes(self) -> int:
        """Weights of a draft model on a rank of the worst stage."""
        return self.weights.stages[self.worst_stage].by_part.get("draft", 0)

    @property
    def held_bytes(self) -> int:
        """Expected weights of the model itself on a rank of the worst stage, as the memory table shows them."""
        return self.memory.weights_bytes.expected - self.drafted_bytes

    @cached_property
    def expected_bytes(self) -> tuple[int, ...]:
        """Expected cache memory of every stage."""
        return tuple(stage.kv_cache_available_bytes.expected for stage in self.stages)

    @cached_property
    def needed_bytes(self) -> tuple[int, ...]:
        """Cache bytes of every stage below which vLLM does not start: one request of the context, or every state."""
        return self.cache.least_bytes(int(self.context.value), self.state_blocks)

    @property
    def sure_blocks(self) -> int:
        """Blocks of the pool at the low end of what is available."""
        return self.cache.num_blocks(tuple(max(0, stage.kv_cache_available_bytes.low) for stage in self.stages))

    @property
    def headroom_bytes(self) -> int:
        """Expected cache memory beyond the least to start, on the tightest stage; negative where short."""
        pairs = zip(self.expected_bytes, self.needed_bytes, strict=True)
        return min(have - need for have, need in pairs)

    @property
    def shortfall_bytes(self) -> int:
        """Memory that the tightest stage lacks to start; 0 where it has enough."""
        return max(0, -self.headroom_bytes) + self.overdrawn_bytes

    @property
    def is_hopeless(self) -> bool:
        """Whether the weights of a stage take all that vLLM asks for: other limits of the engine hold no more then."""
        needed = [stage.weights_bytes.expected >= stage.requested_bytes.expected for stage in self.stages]
        return any(size and over for size, over in zip(self.cache.bytes_per_block, needed, strict=True))

    @property
    def concurrency(self) -> int:
        """Requests of the workload that all engines' pools hold at once; those admitted where nothing is cached."""
        return self._held_by(self.expected_bytes)

    @property
    def sure_concurrency(self) -> int:
        """The same at the low end of what is available."""
        return self._held_by(tuple(stage.kv_cache_available_bytes.low for stage in self.stages))

    def _held_by(self, pool: tuple[int, ...]) -> int:
        if not self.cache.groups:
            return int(self.sequences.value) * self.layout.data_parallel_size
        length = min(self.load.request_tokens, int(self.context.value))
        one = self.cache.max_concurrency(tuple(max(0, have) for have in pool), length)
        return int(min(one, 1_000_000)) * self.layout.data_parallel_size

    @property
    def doubt(self) -> int:
        """0 where it fits even at the high end, 1 where it is tight, 2 where it does not fit."""
        return _VERDICTS.index(self.verdict)

    @property
    def carries_load(self) -> bool:
        """Whether every replica holds and admits its share of the workload's concurrent requests."""
        each = self.concurrency // self.layout.data_parallel_size
        return self.verdict != "does_not_fit" and each >= self.load.concurrency


def worked_out(case: Case, layout: Layout, weights: RankWeights, attempt: Attempt) -> Candidate:
    """One attempt on a layout: its cache, budget and verdict.

    Raises:
        RequestError: vLLM would refuse the layout or a value.
    """
    load = replica_load(case.load, layout)
    sizes = BatchLimits(int(attempt.sequences.value), int(attempt.tokens.value))
    replica = case.replica(layout, sizes)
    cache = replica.cache
    utilization, start, stages = _shared_out(case, replica, weights, attempt.share)
    context = attempt.context or _context(case, load, cache, stages, sizes)
    blocks = state_blocks(case, cache, sizes.max_num_seqs)
    length = int(context.value)
    least = cache.least_bytes(length, blocks)
    found = _verdict(stages, least, cache.min_bytes_to_start(length))
    spare = stages[0].kv_cache_available_bytes.low - least[0]
    unsure: OOMRisk = "MEDIUM" if encoder_doubt(replica, case.tables.overheads) > spare else "LOW"
    verdict, risk = _with_start(max(start, unsure, key=_RISKS.index), *found)
    return Candidate(
        replica=replica,
        weights=weights,
        stages=stages,
        sequences=attempt.sequences,
        tokens=attempt.tokens,
        context=context,
        utilization=utilization,
        load=load,
        state_blocks=blocks,
        start_risk=start,
        verdict=verdict,
        oom_risk=risk,
        overdrawn_bytes=0 if utilization.value else overdrawn(case, replica),
    )


class _SharedOut(NamedTuple):
    """A share of the GPU as it is asked for, the risk of it, and every stage's budget."""

    utilization: Limit
    start_risk: OOMRisk
    stages: tuple[MemoryBudget, ...]


def _shared_out(case: Case, replica: Replica, weights: RankWeights, share: float) -> _SharedOut:
    """What becomes of a share of the GPU; worked out once a replica, for all loads.

    Raises:
        RequestError: others hold too much of the GPU for the user's share.
    """
    key = ("shared out", id(weights), share)
    if key not in replica.kept or case.request.measured:
        utilization = chosen_utilization(case, replica, _own_utilization(case), share)
        start = start_risk(case, replica, float(utilization.value))
        stages = stage_budgets(case, replica, weights, budget_share(case, replica, utilization))
        refuse_taken_memory(case, stages[0], _own_utilization(case))
        replica.kept[key] = _SharedOut(utilization, start, stages), weights
    return cast("tuple[_SharedOut, RankWeights]", replica.kept[key])[0]


def _own_utilization(case: Case) -> Limit | None:
    return own(case, "gpu_memory_utilization", case.tables.engine.default_gpu_memory_utilization)


def whose_context(case: Case) -> str:
    """Whose word the longest context is: the model's, the user's, or vLLM's where config.json names none."""
    own = case.facts.architecture
    if case.architecture.max_position_embeddings != own.max_position_embeddings:
        return "your hf_overrides'"
    return "the model's own" if own.context_stated else ASSUMED


def _context(
    case: Case, load: Workload, cache: CacheLayout, stages: tuple[MemoryBudget, ...], sizes: BatchLimits
) -> Limit:
    if case.asked_context:
        return Limit("max_model_len", case.asked_context, lambda: "you set it")
    if "max_model_len" in case.left_to_vllm:
        return Limit("max_model_len", case.model_context, lambda: "the model's own, as vLLM takes it")
    low = tuple(max(0, stage.kv_cache_available_bytes.low) for stage in stages)
    expected = tuple(max(0, stage.kv_cache_available_bytes.expected) for stage in stages)
    pools, whose = (low, expected), whose_context(case)
    return limits.context_limit(load, case.model_context, cache, pools, sizes.max_num_seqs, whose=whose)


def _verdict(
    stages: tuple[MemoryBudget, ...], least: tuple[int, ...], request: tuple[int, ...]
) -> tuple[Verdict, OOMRisk]:
    """The verdict on the worst stage: it has `least`, and `request` with a margin."""
    found = [budgets.verdict(stage, need, one) for stage, need, one in zip(stages, least, request, strict=True)]
    return max(found, key=lambda pair: (_VERDICTS.index(pair[0]), _RISKS.index(pair[1])))


def _with_start(start: OOMRisk, verdict: Verdict, risk: OOMRisk) -> tuple[Verdict, OOMRisk]:
    """A verdict on the cache that is no better than what is known of the memory around the budget."""
    worst = max(start, risk, key=_RISKS.index)
    return ("tight" if verdict == "fits" and worst == "HIGH" else verdict), worst
