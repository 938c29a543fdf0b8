"""Parts of a plan that follow from the chosen candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.architecture import Architecture
from generator.models.checkpoint import Checkpoint
from generator.models.estimate import Estimate
from generator.models.hardware import Cluster
from generator.models.interval import ByteInterval
from generator.models.kernels import Kernels
from generator.models.parallelism import Server
from generator.models.plan import CacheGroup, KVCacheReport, MemoryBudget, ModelSummary, Runtime
from generator.models.verdict import Feasibility
from generator.planning import answers
from generator.planning.decisions import DRAIN_S
from generator.planning.host import host_of, watch_of
from generator.planning.limits import longest_common_context
from generator.planning.memory.pinned import cache_on_host, host_bytes
from generator.planning.rules.experts import expert_kernel
from generator.planning.rules.paths import mounts_of
from generator.planning.weights.rank import model_totals
from generator.units import GIB, MIB, ceil_div

if TYPE_CHECKING:
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case

_FIRST_READ_BYTES_PER_S = 200_000_000
"""What a download, or a slow network disk, delivers; the first start waits for it."""
_BOOT_S = 180
"""Imports, compilation and graph capture of a first start; logged starts take 60 to 150 s of it."""
_RING_BYTES = 10 * 16 * MIB + 24 * MIB
"""One engine's broadcast ring and its group queue (vLLM 0.32 shm_broadcast.py:492)."""
_QUEUE_BYTES = 10 * 24 * MIB
"""Response queue of one local worker (vLLM 0.32 multiproc_executor.py:151)."""
_SHM_FLOOR_BYTES = GIB
_PRE_STOP_S, _MARGIN_S, _PULL_S, _PROBE_S = 15, 15, 600, 10


def feasibility(case: Case, chosen: Candidate, estimate: Estimate | None) -> Feasibility:
    """The verdict with its answers and figures; concurrency at the workload's request, context at its concurrency."""
    pool = tuple(max(0, have) for have in chosen.expected_bytes)
    return Feasibility(
        verdict=chosen.verdict,
        fits=chosen.verdict != "does_not_fit",
        oom_risk=chosen.oom_risk,
        headroom_bytes=max(0, chosen.headroom_bytes),
        shortfall_bytes=chosen.shortfall_bytes,
        max_concurrency_at_context=chosen.concurrency * case.servers,
        max_context_at_concurrency=longest_common_context(
            chosen.load.concurrency, case.model_context, chosen.cache, pool
        ),
        starts=answers.starts(case, chosen),
        carries=answers.carries(case, chosen),
        meets=answers.meets(case, estimate),
    )


def memory(chosen: Candidate) -> MemoryBudget:
    """The worst stage's budget; where nothing is left for the cache that is zero, and the shortfall tells the rest."""
    budget = chosen.memory
    left = budget.kv_cache_available_bytes
    floor = ByteInterval(expected=max(0, left.expected), low=max(0, left.low), high=max(0, left.high))
    return budget.model_copy(update={"kv_cache_available_bytes": floor, "draft_weights_bytes": chosen.drafted_bytes})


def kernels(case: Case, chosen: Candidate) -> Kernels:
    """What attention and experts run in."""
    return Kernels(attention=chosen.cache.backends, experts=expert_kernel(case, chosen.layout))


def kv_cache(chosen: Candidate) -> KVCacheReport | None:
    """The allocator's answer at the expected memory; None where one request does not fit, or nothing is cached."""
    if chosen.verdict == "does_not_fit" or not chosen.cache.groups:
        return None
    length, pool, cache = int(chosen.context.value), chosen.expected_bytes, chosen.cache
    return KVCacheReport(
        block_size_tokens=cache.block_size_tokens,
        bytes_per_block=cache.bytes_per_block[chosen.worst_stage],
        num_blocks=cache.num_blocks(pool),
        groups=tuple(
            CacheGroup(
                kind=group.kind,
                layers=group.layers,
                block_size_tokens=group.block_size_tokens,
                page_size_bytes=group.page_size_bytes,
            )
            for group in cache.groups
        ),
        capacity_tokens=cache.capacity_tokens(pool, length),
        max_concurrency=cache.max_concurrency(pool, length),
        at_max_model_len=length,
    )


def node(case: Case) -> Cluster:
    """The GPUs of all servers of a node."""
    return case.cluster.model_copy(update={"gpus_per_node": case.cluster.gpus_per_node * case.servers})


def servers(case: Case, chosen: Candidate) -> tuple[Server, ...]:
    """The servers of the node with the GPUs of each; empty where there is one."""
    each = chosen.layout.ranks
    named = range(case.servers if case.servers > 1 else 0)
    return tuple(
        Server(
            name=f"vllm-{number + 1}" if number else "vllm",
            gpu_ids=tuple(map(str, range(number * each, (number + 1) * each))),
        )
        for number in named
    )


def model_summary(case: Case) -> ModelSummary:
    """The model's size and origin."""
    facts = case.facts
    totals = model_totals(case.architecture, case.quantization)
    return ModelSummary(
        id=facts.id,
        revision=facts.revision,
        source=facts.source,
        architecture=case.architecture.architecture,
        parameters=totals.parameters,
        active_parameters=totals.active_parameters,
        checkpoint_bytes=stored_bytes(case),
        context_tokens=case.model_context,
        license=facts.license,
        gated=facts.gated,
    )


def stored_bytes(case: Case) -> int:
    """Bytes of the checkpoint: the headers' sum, or the architecture's where no header was read."""
    return _read_bytes(case.facts.checkpoint, case.architecture)


def _read_bytes(checkpoint: Checkpoint, architecture: Architecture) -> int:
    known = checkpoint.total_bytes
    return model_totals(architecture, checkpoint.quantization).stored_bytes if known is None else known


def runtime(case: Case, chosen: Candidate, speed: Estimate | None = None) -> Runtime:
    """What the deployment needs around the engine."""
    layout, engine = chosen.layout, case.tables.engine
    nodes = case.cluster.nodes
    workers = ceil_div(layout.ranks, nodes)
    draft = _read_bytes(case.draft.facts.checkpoint, case.draft.facts.architecture) if case.draft else 0
    stored = stored_bytes(case) + draft
    startup = _BOOT_S + ceil_div(stored, _FIRST_READ_BYTES_PER_S)
    offloaded = cache_on_host(case.fixed, layout)
    rings = max(_SHM_FLOOR_BYTES, layout.data_parallel_size * _RING_BYTES + workers * _QUEUE_BYTES)
    shm = rings + ceil_div(offloaded, nodes)
    drain = int(case.fixed.get("shutdown_timeout", DRAIN_S))
    host = host_bytes(case.fixed, layout)
    return Runtime(
        image=engine.rocm_image if case.gpu.capability.is_rocm else engine.image,
        startup_s=startup,
        shm_bytes=shm,
        host_ram_bytes=host,
        host_ram_mib=ceil_div(host, MIB),
        drain_s=drain,
        nodes=nodes,
        gpus_per_node=workers,
        gpu_ids=tuple(map(str, range(workers))),
        shm_mib=ceil_div(shm, MIB),
        startup_probes=ceil_div(startup, _PROBE_S),
        progress_deadline_s=startup + _PULL_S,
        grace_period_s=_PRE_STOP_S + drain + _MARGIN_S,
        host=host_of(
            layout,
            workers=workers,
            stored_bytes=stored,
            offloaded_bytes=host - offloaded,
            shm_bytes=shm,
            startup_s=startup,
        ),
        watch=watch_of(case, chosen, speed),
        mounts=mounts_of(case.fixed, case.tables.path_kinds),
    )
