"""CUDA graphs of one rank: how many are captured, what the profile takes off for them, what they really take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.interval import ByteInterval
from generator.models.overheads import OverheadTable
from generator.planning.memory import attention
from generator.planning.memory.overhead import runner_of
from generator.planning.replica import once_a_replica
from generator.units import KIB, MIB

if TYPE_CHECKING:
    from generator.planning.replica import Replica


def capture_sizes(replica: Replica) -> int:
    """Number of captured batch sizes: 1, 2, 4, by 8 to 256, then by 16 (vLLM 0.32 config/vllm.py:2292)."""
    settings = replica.settings
    if settings.enforce_eager:
        return 0
    name, capability = replica.architecture.architecture, settings.capability
    more = replica.release.has("captures_1024_sequences", capability=capability, architecture=name)
    limit = 1024 if more else 512
    largest = min(2 * settings.max_num_seqs * (1 + settings.num_speculative_tokens), limit)
    small = sum(size <= largest for size in (1, 2, 4))
    return small + min(largest, 256) // 8 + max(0, largest - 256) // 16


@once_a_replica
def cuda_graph_estimate(replica: Replica, table: OverheadTable) -> ByteInterval:
    """Bytes the profiler subtracts for CUDA graphs: none when eager or where release and runner have no estimate."""
    release = replica.release
    if runner_of(replica) == "v2" and not release.has("model_runner_v2_estimates_graphs"):
        return ByteInterval.exact(0)
    captures = capture_sizes(replica)
    base = table.term("graph_estimate_mib", release.version)
    if not captures or not base.high:
        return ByteInterval.exact(0)
    layers = replica.architecture.num_hidden_layers
    found = base.times(MIB) + table.term("graph_layer_kib", release.version).times(captures * layers * KIB)
    return found + ByteInterval.exact(attention.decode_workspace(replica))


@once_a_replica
def cuda_graph_actual(replica: Replica, table: OverheadTable) -> ByteInterval:
    """What the capture really takes after the cache is allocated."""
    captures = capture_sizes(replica)
    if not captures:
        return ByteInterval.exact(0)
    per_layer = table.term("graph_actual_kib", replica.release.version)
    return per_layer.times(captures * replica.architecture.num_hidden_layers * KIB)
