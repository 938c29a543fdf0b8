"""The budget of one rank as vLLM draws it up, the verdict on it, and the utilization that it allows."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, isqrt
from typing import TYPE_CHECKING

from generator.models.interval import ByteInterval
from generator.models.plan import MemoryBudget
from generator.models.release import release_key
from generator.planning.memory import graphs, overhead
from generator.planning.memory.pinned import left_on_gpu, pinned
from generator.planning.memory.workspace import sparse_workspace
from generator.units import GIB, MIB, ceil_div

if TYPE_CHECKING:
    from generator.models.architecture import Architecture
    from generator.models.hardware import GPU
    from generator.models.overheads import BudgetSettings, OverheadTable
    from generator.models.parallelism import Layout
    from generator.models.plan import OOMRisk, Verdict

_BLOCK_TOKENS = 16
"""The smallest block of every attention backend, which makes the longest block table."""
_SMALL_HEADROOM = 50


def budget(
    *,
    weights_bytes: int | ByteInterval,
    architecture: Architecture,
    layout: Layout,
    settings: BudgetSettings,
    gpu: GPU,
    link: overhead.Link,
    release: str,
    table: OverheadTable,
    headroom_bytes: int = 0,
    first_stage: bool = True,
    last_stage: bool = True,
) -> MemoryBudget:
    """Memory of one rank in bytes; at the expected values the items add up to the requested memory exactly.

    requested = ceil(utilization x total as CUDA sees it); what is left after the items is the cache's
    (vLLM 0.32 v1/worker/gpu_worker.py:740). The items' errors are independent, so the cache's range combines
    their half-widths as a root of squares, each side on its own, and with them a share of the requested memory
    that no item explains. Where a start may go one of two ways, the one that takes more is expected.
    """
    total = overhead.device_total(gpu, table)
    requested = _requested(total, settings.gpu_memory_utilization)
    weights = weights_bytes if isinstance(weights_bytes, ByteInterval) else ByteInterval.exact(weights_bytes)
    ends = (first_stage and architecture.embedding) + (
        last_stage and architecture.lm_head and not architecture.tie_word_embeddings
    )
    weights = left_on_gpu(weights, architecture, layout, settings, ends=ends)
    weights = with_load_extras(weights, architecture, release=release, table=table, dtype_bytes=settings.dtype_bytes)
    fixed = overhead.non_torch(layout, link=link, release=release, table=table) + overhead.persistent_buffers(
        architecture, settings, release=release, last_stage=last_stage
    )
    fixed += sparse_workspace(architecture, layout, settings, release=release)
    fixed += overhead.unified_growth(gpu, release=release, table=table)
    activation, otherwise = (
        overhead.activation_peak(
            architecture,
            layout,
            settings,
            release=release,
            table=either,
            first_stage=first_stage,
            last_stage=last_stage,
        )
        for either in (table, table.other_way)
    )
    captured = graphs.cuda_graph_estimate(architecture, settings, gpu.capability, release=release, table=table)
    unmodelled = table.term("unmodelled_share", release).times(requested.expected)
    needs = (weights, fixed, activation, captured, unmodelled)
    left = remainder(requested, needs, headroom_bytes, spared=max(0, activation.expected - otherwise.expected))
    if settings.kv_cache_bytes is not None:
        left = pinned(left, settings.kv_cache_bytes)
        requested = ByteInterval.exact(sum(need.expected for need in needs) + headroom_bytes + left.expected)
    return MemoryBudget(
        gpu_total_bytes=total,
        requested_bytes=requested,
        weights_bytes=weights,
        non_torch_bytes=fixed,
        activation_peak_bytes=replace(activation, low=min(activation.low, otherwise.low)),
        cuda_graph_bytes=captured,
        headroom_bytes=headroom_bytes,
        kv_cache_available_bytes=left,
        worst_rank="every rank is alike",
        calibration=calibration(architecture, gpu, release=release, table=table),
    )


def remainder(
    requested: ByteInterval, needs: tuple[ByteInterval, ...], headroom_bytes: int = 0, spared: int = 0
) -> ByteInterval:
    """What `needs` leave of `requested`: exact at the expected values, root of squares at both ends.

    `spared` is what a start takes less that goes the other of two ways: no error, so it adds to the high end in full.
    """
    expected = requested.expected - sum(need.expected for need in needs) - headroom_bytes
    down = [requested.expected - requested.low, *(need.high - need.expected for need in needs)]
    up = [requested.high - requested.expected, *(need.expected - need.low for need in needs)]
    return ByteInterval(
        expected=expected,
        low=expected - _root_of_squares(down),
        high=expected + spared + _root_of_squares(up),
    )


def _root_of_squares(widths: list[int]) -> int:
    return isqrt(sum(width * width for width in widths))


def _requested(total: ByteInterval, utilization: float) -> ByteInterval:
    """Requested memory: ceil(total * utilization) (vLLM 0.32 v1/worker/utils.py:716)."""
    return ByteInterval(
        expected=ceil(total.expected * utilization),
        low=ceil(total.low * utilization),
        high=ceil(total.high * utilization),
    )


def with_load_extras(
    weights: ByteInterval, architecture: Architecture, *, release: str, table: OverheadTable, dtype_bytes: int = 2
) -> ByteInterval:
    """Parameters and what loading adds to them: rotary tables, scales and the allocator's rounding.

    The rounding grows with the tensors: a fiftieth of a small model at most.
    """
    held = weights + ByteInterval.exact(overhead.rotary_tables(architecture, dtype_bytes, release))
    if architecture.towers:
        return held + table.term("load_extra_multimodal_mib", release).times(MIB)
    extra, most = table.term("load_extra_mib", release).times(MIB), weights.expected // 50
    return held + ByteInterval(expected=min(extra.expected, most), low=min(extra.low, most), high=extra.high)


def calibration(architecture: Architecture, gpu: GPU, *, release: str, table: OverheadTable) -> str:
    """What the items rest on, and what they were not calibrated for."""
    outside = []
    if not release_key(table.calibrated_since) <= release_key(release) <= release_key(table.calibrated_until):
        outside.append(f"vLLM {release}")
    if gpu.unified_memory:
        outside.append("unified memory (page cache and neighbours move it by gibibytes)")
    elif gpu.capability not in table.calibrated_capabilities:
        outside.append(f"compute capability {gpu.capability / 10:.1f}")
    if any(_is_sparse(layer.mixer) for layer in architecture.layer_kinds):
        outside.append("sparse attention (its workspaces are read in vLLM's code)")
    limits = f"; not calibrated for {', '.join(outside)}" if outside else ""
    return f"{table.calibration_set}{limits}"


def _is_sparse(mixer: object) -> bool:
    return getattr(mixer, "kind", None) in {"sparse_mla", "compressed_mla"}


def outside_bytes(
    architecture: Architecture,
    settings: BudgetSettings,
    gpu: GPU,
    layout: Layout,
    *,
    release: str,
    table: OverheadTable,
) -> ByteInterval:
    """Bytes of the rank beyond the requested memory: vLLM does not budget them, the GPU must have them.

    CUDA context and the first NCCL buffers come before vLLM's snapshot. After its profile come block tables
    (two copies, 0.32 v1/worker/gpu/block_table.py:55), graphs beyond the estimate, the sampler's fp32 logits
    (0.32 v1/worker/gpu/sample/sampler.py:242) and the allocator's fragments.
    """
    world = layout.tensor_parallel_size * layout.pipeline_parallel_size
    items = (
        table.term("cuda_context_mib", release).times(MIB),
        table.term("nccl_first_mib", release).times((world > 1) * MIB),
        table.term("allocator_slack_mib", release).times(MIB),
        _graphs_beyond_estimate(architecture, settings, gpu, release=release, table=table),
        _sampling_copy(architecture, layout, settings, release=release, table=table),
    )
    tables = 2 * settings.max_num_seqs * ceil_div(settings.max_model_len, _BLOCK_TOKENS) * 4
    inside = overhead.persistent_buffers(architecture, settings, release=release).expected
    tables += overhead.penalty_state(architecture, settings, release=release) - inside
    left = remainder(ByteInterval.exact(0), items)
    return ByteInterval(expected=tables - left.expected, low=max(0, tables - left.high), high=tables - left.low)


def _graphs_beyond_estimate(
    architecture: Architecture, settings: BudgetSettings, gpu: GPU, *, release: str, table: OverheadTable
) -> ByteInterval:
    estimate, actual = (
        size(architecture, settings, gpu.capability, release=release, table=table)
        for size in (graphs.cuda_graph_estimate, graphs.cuda_graph_actual)
    )
    return ByteInterval(
        expected=max(0, actual.expected - estimate.expected),
        low=0,
        high=max(0, actual.high - estimate.low),
    )


def _sampling_copy(
    architecture: Architecture,
    layout: Layout,
    settings: BudgetSettings,
    *,
    release: str,
    table: OverheadTable,
) -> ByteInterval:
    """The fp32 logits that sampling parameters ask for at run time, where the profiled peak is smaller."""
    copy = (4 + settings.dtype_bytes) * settings.max_num_seqs * architecture.vocab_size * settings.samples
    peak = overhead.activation_peak(architecture, layout, settings, release=release, table=table)
    return ByteInterval(expected=max(0, copy - peak.expected), low=0, high=max(0, copy - peak.low))


def verdict(memory: MemoryBudget, needed_bytes: int) -> tuple[Verdict, OOMRisk]:
    """The verdict on a cache of `needed_bytes`, and the risk of running out of memory.

    fits: even at the low end of what is available, with risk MEDIUM where less than 2 % of the GPU is left;
    tight: at the expected value only (risk HIGH).
    """
    available = memory.kv_cache_available_bytes
    if available.expected < needed_bytes:
        return "does_not_fit", "HIGH"
    if available.low < needed_bytes:
        return "tight", "HIGH"
    margin = available.low - needed_bytes
    return "fits", "MEDIUM" if margin < memory.gpu_total_bytes.expected // _SMALL_HEADROOM else "LOW"


def choose_utilization(
    *,
    gpu: GPU,
    outside: ByteInterval,
    reserved_bytes: int,
    table: OverheadTable,
) -> float:
    """The highest utilization, in steps of 0.01, that leaves room for all that vLLM does not budget.

    vLLM refuses to start when the free memory is below utilization x total, so other processes count in full;
    on unified memory the host's own use does too (`unified_reserve_mib`).
    """
    total = overhead.device_total(gpu, table)
    usable = max(0, total.low - _taken(gpu, outside, reserved_bytes, table))
    return usable * 100 // total.low / 100


def overdrawn_bytes(*, gpu: GPU, outside: ByteInterval, reserved_bytes: int, table: OverheadTable) -> int:
    """Bytes that other processes and what vLLM does not budget take beyond the whole GPU; 0 where they leave some."""
    return max(0, _taken(gpu, outside, reserved_bytes, table) - overhead.device_total(gpu, table).low)


def _taken(gpu: GPU, outside: ByteInterval, reserved_bytes: int, table: OverheadTable) -> int:
    """Bytes of the GPU that no budget of vLLM's may count on."""
    host = table.term("unified_reserve_mib", table.calibrated_until).times(MIB).high if gpu.unified_memory else 0
    return reserved_bytes + outside.high + host


def free_memory_refusal(
    memory: MemoryBudget, *, reserved_bytes: int, context_bytes: int, utilization: float
) -> str | None:
    """The reason why vLLM refuses at once: less free memory than it would request; None where it starts."""
    free = memory.gpu_total_bytes.expected - reserved_bytes - context_bytes
    requested = _requested(memory.gpu_total_bytes, utilization).expected
    if free >= requested:
        return None
    return (
        f"Free memory on device ({free / GIB:.2f}/{memory.gpu_total_bytes.expected / GIB:.2f} GiB) "
        f"on startup is less than desired GPU memory utilization ({utilization}, {requested / GIB:.2f} GiB)"
    )
