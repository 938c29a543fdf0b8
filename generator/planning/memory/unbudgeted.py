"""What vLLM does not budget: bytes of a rank beyond the requested memory, and the utilization that leaves them room."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from generator.models.hardware import GPU, Cluster
from generator.models.interval import ByteInterval
from generator.models.overheads import OverheadTable
from generator.models.plan import MemoryBudget
from generator.planning.memory import attention, graphs, overhead
from generator.planning.memory.budget import remainder, requested_bytes
from generator.planning.replica import once_a_replica
from generator.units import GIB, MIB, ceil_div

if TYPE_CHECKING:
    from generator.planning.replica import Replica

_BLOCK_TOKENS = 16
"""The smallest block of every attention backend, which makes the longest block table."""


@once_a_replica
def outside_bytes(replica: Replica, table: OverheadTable) -> ByteInterval:
    """Bytes of the rank beyond the requested memory: vLLM does not budget them, the GPU must have them.

    The CUDA context, what others hold on such a GPU (unless the cluster says what they do) and the first NCCL buffers
    come before vLLM's snapshot. After its profile come block tables (two copies, 0.32 v1/worker/gpu/block_table.py:55),
    graphs beyond the estimate, the sampler's fp32 logits (0.32 v1/worker/gpu/sample/sampler.py:242) and the allocator's
    fragments: what it holds of the profile's buffers and cannot hand out again, a share of their peak. FlashInfer's
    workspace is made for the real cache, after the profile has dropped its own.
    """
    world, release = overhead.joined_ranks(replica.layout, moe=replica.architecture.is_moe), replica.release.version
    peak = overhead.activation_peak(replica, table)
    items = (
        in_use(replica.cluster, table),
        table.term("nccl_first_mib", release).times((world > 1) * MIB),
        table.term("allocator_slack_mib", release).times(MIB),
        table.term("allocator_share", release).times(peak.expected),
        _graphs_beyond_estimate(replica, table),
        _sampling_copy(replica, peak),
    )
    tables = 2 * replica.settings.max_num_seqs * ceil_div(replica.max_model_len, _BLOCK_TOKENS) * 4
    tables += _flashinfer(replica, table)
    tables += overhead.penalty_state(replica) - overhead.persistent_buffers(replica).expected
    left = remainder(ByteInterval.exact(0), items)
    return ByteInterval(expected=tables - left.expected, low=max(0, tables - left.high), high=tables - left.low)


def _graphs_beyond_estimate(replica: Replica, table: OverheadTable) -> ByteInterval:
    estimate, actual = graphs.cuda_graph_estimate(replica, table), graphs.cuda_graph_actual(replica, table)
    return ByteInterval(
        expected=max(0, actual.expected - estimate.expected),
        low=0,
        high=max(0, actual.high - estimate.low),
    )


def _flashinfer(replica: Replica, table: OverheadTable) -> int:
    """Bytes of FlashInfer's workspaces: the builders', and the decode kernel's where no estimate of graphs has it."""
    estimated = graphs.cuda_graph_estimate(replica, table).high
    return attention.builder_workspace(replica) + (0 if estimated else attention.decode_workspace(replica))


def _sampling_copy(replica: Replica, peak: ByteInterval) -> ByteInterval:
    """The fp32 logits that sampling parameters ask for at run time, where the profiled peak is smaller.

    One fp32 copy may find no room among what the allocator holds already (startup_logs.csv F040).
    """
    logits = replica.settings.max_num_seqs * replica.architecture.vocab_size * replica.settings.samples
    copy = (4 + replica.dtype_bytes) * logits
    return ByteInterval(expected=max(0, copy - peak.expected), low=0, high=max(4 * logits, copy - peak.low))


def in_use(cluster: Cluster, table: OverheadTable) -> ByteInterval:
    """Bytes that a start finds in use on such a GPU; on a bare one where it is said what other processes hold."""
    gpu = cluster.gpu
    return table.in_use_bytes(() if cluster.reserved_bytes else (gpu.name, *gpu.nvml_names))


def choose_utilization(cluster: Cluster, outside_bytes: int, table: OverheadTable, wanted: float = 1.0) -> float:
    """`wanted`, or the highest utilization in steps of 0.01 that leaves `outside_bytes`, which vLLM does not budget.

    vLLM refuses to start when the free memory is below utilization x total, so other processes count in full;
    on unified memory the host's own use does too, at its high end (`unified_reserve_mib`).
    """
    total = overhead.device_total(cluster.gpu, table)
    usable = max(0, total.low - _taken(cluster.gpu, outside_bytes, cluster.reserved_bytes, table))
    return min(wanted, usable * 100 // total.low / 100)


def left_over(cluster: Cluster, share: float, table: OverheadTable) -> int:
    """Bytes that `share` of a GPU leaves to what vLLM does not budget, beside what the host is expected to take."""
    gpu = cluster.gpu
    total = overhead.device_total(gpu, table).expected
    host = table.term("unified_reserve_mib", table.calibrated_until).times(MIB).expected if gpu.unified_memory else 0
    return total - ceil(total * share) - cluster.reserved_bytes - host


def overdrawn_bytes(*, gpu: GPU, outside: ByteInterval, reserved_bytes: int, table: OverheadTable) -> int:
    """Bytes that other processes and what vLLM does not budget take beyond the whole GPU; 0 where they leave some."""
    return max(0, _taken(gpu, outside.expected, reserved_bytes, table) - overhead.device_total(gpu, table).low)


def _taken(gpu: GPU, outside: int, reserved_bytes: int, table: OverheadTable) -> int:
    """Bytes of the GPU that no budget of vLLM's may count on."""
    host = table.term("unified_reserve_mib", table.calibrated_until).times(MIB).high if gpu.unified_memory else 0
    return reserved_bytes + outside + host


def free_memory_refusal(
    memory: MemoryBudget, *, reserved_bytes: int, context_bytes: int, utilization: float
) -> str | None:
    """The reason why vLLM refuses at once: less free memory than it would request; None where it starts."""
    free = memory.gpu_total_bytes.expected - reserved_bytes - context_bytes
    requested = requested_bytes(memory.gpu_total_bytes, utilization).expected
    if free >= requested:
        return None
    return (
        f"Free memory on device ({free / GIB:.2f}/{memory.gpu_total_bytes.expected / GIB:.2f} GiB) "
        f"on startup is less than desired GPU memory utilization ({utilization}, {requested / GIB:.2f} GiB)"
    )
