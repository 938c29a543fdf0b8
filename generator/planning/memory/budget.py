"""The budget of one rank as vLLM draws it up, and the verdict on it."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, isqrt
from typing import TYPE_CHECKING

from generator.models.architecture import Architecture
from generator.models.interval import ByteInterval
from generator.models.overheads import OverheadTable
from generator.models.plan import MemoryBudget
from generator.models.release import Release
from generator.models.verdict import OOMRisk, Verdict
from generator.planning.memory import attention, evidence, graphs, overhead
from generator.planning.memory.measured import Needs, as_measured
from generator.planning.memory.pinned import left_on_gpu, pinned
from generator.planning.memory.workspace import sparse_workspace
from generator.planning.replica import once_a_replica
from generator.units import MIB

if TYPE_CHECKING:
    from generator.planning.memory.measured import KnownStart
    from generator.planning.replica import Replica

_SMALL_HEADROOM = 50


def budget(
    replica: Replica,
    *,
    weights_bytes: int | ByteInterval,
    utilization: float,
    table: OverheadTable,
    cache_bytes: int | None = None,
    headroom_bytes: int = 0,
    first_stage: bool = True,
    last_stage: bool = True,
    known: KnownStart | None = None,
) -> MemoryBudget:
    """Memory of one rank in bytes; at the expected values the items add up to the requested memory exactly.

    requested = ceil(utilization x total as CUDA sees it); what is left after the items is the cache's
    (vLLM 0.32 v1/worker/gpu_worker.py:740), unless the user fixes it to `cache_bytes`. The items' errors are
    independent, so the cache's range combines their half-widths as a root of squares, each side on its own, and with
    them a share of the requested memory that no item explains. Where a start may go one of two ways, the one that
    takes more is expected. A start that is `known` of the machine takes the place of items, or moves them.
    """
    total = overhead.device_total(replica.gpu, table)
    requested = requested_bytes(total, utilization)
    needs, otherwise = needs_of(
        replica, weights_bytes, requested.expected, table, first_stage=first_stage, last_stage=last_stage
    )
    if known is not None:
        needs, otherwise = as_measured(known, needs, otherwise)
    left = remainder(
        requested,
        needs,
        headroom_bytes,
        spared=max(0, needs.activation.expected - otherwise.expected),
        widening=evidence.widening(replica, table) if known is None else 1.0,
    )
    rests_on = evidence.calibration(replica, table)
    if cache_bytes is not None:
        left = pinned(left, cache_bytes)
        requested = ByteInterval.exact(sum(need.expected for need in needs) + headroom_bytes + left.expected)
    return MemoryBudget(
        gpu_total_bytes=total,
        requested_bytes=requested,
        weights_bytes=needs.weights,
        non_torch_bytes=needs.fixed,
        activation_peak_bytes=replace(needs.activation, low=min(needs.activation.low, otherwise.low)),
        cuda_graph_bytes=needs.graphs,
        headroom_bytes=headroom_bytes,
        kv_cache_available_bytes=left,
        worst_rank="every rank is alike",
        calibration=rests_on if known is None else f"{known.words}; {rests_on}",
    )


unmeasured = once_a_replica(budget)
"""`budget` without a start that is known of the machine, drawn up once."""


def needs_of(
    replica: Replica,
    weights_bytes: int | ByteInterval,
    requested: int,
    table: OverheadTable,
    *,
    first_stage: bool = True,
    last_stage: bool = True,
) -> tuple[Needs, ByteInterval]:
    """What a rank takes before its cache, and the profile's peak where the start goes the other of two ways."""
    activation, otherwise = (
        overhead.activation_peak(replica, way, first_stage=first_stage, last_stage=last_stage)
        for way in (table, table.other_way)
    )
    needs = Needs(
        weights=_loaded(replica, weights_bytes, table, first_stage=first_stage, last_stage=last_stage),
        fixed=_outside_pytorch(replica, table, last_stage=last_stage),
        activation=activation,
        graphs=graphs.cuda_graph_estimate(replica, table),
        unmodelled=table.term("unmodelled_share", replica.release.version).times(requested),
    )
    return needs, otherwise


def _loaded(
    replica: Replica, weights_bytes: int | ByteInterval, table: OverheadTable, *, first_stage: bool, last_stage: bool
) -> ByteInterval:
    """Weights on the GPU, with what loading adds to them."""
    model = replica.architecture
    weights = weights_bytes if isinstance(weights_bytes, ByteInterval) else ByteInterval.exact(weights_bytes)
    head = last_stage and model.lm_head and not model.tie_word_embeddings
    weights = left_on_gpu(weights, replica, ends=(first_stage and model.embedding) + head)
    return with_load_extras(weights, model, release=replica.release, table=table, dtype_bytes=replica.dtype_bytes)


@once_a_replica
def _outside_pytorch(replica: Replica, table: OverheadTable, *, last_stage: bool) -> ByteInterval:
    """What is neither weights nor activations: libraries, buffers that stay, workspaces, the host's growth."""
    fixed = overhead.non_torch(replica, table)
    fixed += overhead.persistent_buffers(replica, last_stage=last_stage)
    fixed += sparse_workspace(replica)
    fixed += ByteInterval.exact(attention.draft_streams(replica) * last_stage)
    return fixed + overhead.unified_growth(replica.gpu, release=replica.release, table=table)


def remainder(
    requested: ByteInterval,
    needs: tuple[ByteInterval, ...],
    headroom_bytes: int = 0,
    *,
    spared: int = 0,
    widening: float = 1.0,
) -> ByteInterval:
    """What `needs` leave of `requested`: exact at the expected values, root of squares times `widening` at both ends.

    `spared` is what a start takes less that goes the other of two ways: no error, so it adds to the high end in full.
    """
    expected = requested.expected - sum(need.expected for need in needs) - headroom_bytes
    down = [requested.expected - requested.low, *(need.high - need.expected for need in needs)]
    up = [requested.high - requested.expected, *(need.expected - need.low for need in needs)]
    return ByteInterval(
        expected=expected,
        low=expected - round(widening * _root_of_squares(down)),
        high=expected + spared + round(widening * _root_of_squares(up)),
    )


def _root_of_squares(widths: list[int]) -> int:
    return isqrt(sum(width * width for width in widths))


def requested_bytes(total: ByteInterval, utilization: float) -> ByteInterval:
    """Requested memory: ceil(total * utilization) (vLLM 0.32 v1/worker/utils.py:716)."""
    return ByteInterval(
        expected=ceil(total.expected * utilization),
        low=ceil(total.low * utilization),
        high=ceil(total.high * utilization),
    )


def with_load_extras(
    weights: ByteInterval, architecture: Architecture, *, release: Release, table: OverheadTable, dtype_bytes: int = 2
) -> ByteInterval:
    """Parameters and what loading adds to them: rotary tables, scales and the allocator's rounding.

    The rounding grows with the tensors: a fiftieth of a small model at most.
    """
    held = weights + ByteInterval.exact(overhead.rotary_tables(architecture, dtype_bytes, release))
    if architecture.towers:
        return held + table.term("load_extra_multimodal_mib", release.version).times(MIB)
    extra, most = table.term("load_extra_mib", release.version).times(MIB), weights.expected // 50
    return held + ByteInterval(expected=min(extra.expected, most), low=min(extra.low, most), high=extra.high)


def verdict(memory: MemoryBudget, needed_bytes: int, request_bytes: int | None = None) -> tuple[Verdict, OOMRisk]:
    """The verdict on a cache of `needed_bytes`, and the risk of running out of memory.

    fits: even at the low end of what is available, with risk MEDIUM where less than 2 % of the GPU is left beside
    `request_bytes`, what one request takes of it (all of it where that is not said);
    tight: at the expected value only (risk HIGH).
    """
    available = memory.kv_cache_available_bytes
    if available.expected < needed_bytes:
        return "does_not_fit", "HIGH"
    if available.low < needed_bytes:
        return "tight", "HIGH"
    margin = available.low - (needed_bytes if request_bytes is None else request_bytes)
    return "fits", "MEDIUM" if margin < memory.gpu_total_bytes.expected // _SMALL_HEADROOM else "LOW"
