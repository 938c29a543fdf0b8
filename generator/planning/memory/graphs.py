"""CUDA graphs of one rank: how many are captured, what the profile takes off for them, what they really take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.interval import ByteInterval
from generator.planning.memory.overhead import model_runner
from generator.units import KIB, MIB

if TYPE_CHECKING:
    from generator.models.architecture import Architecture
    from generator.models.capability import Capability
    from generator.models.overheads import BudgetSettings, OverheadTable
    from generator.models.release import Release


def capture_sizes(
    architecture: Architecture, settings: BudgetSettings, capability: Capability, release: Release
) -> int:
    """Number of captured batch sizes: 1, 2, 4, by 8 to 256, then by 16 (vLLM 0.32 config/vllm.py:2292)."""
    if settings.enforce_eager:
        return 0
    limit = 1024 if _captures_more(architecture, capability, release) else 512
    largest = min(2 * settings.max_num_seqs * (1 + settings.num_speculative_tokens), limit)
    small = sum(size <= largest for size in (1, 2, 4))
    return small + min(largest, 256) // 8 + max(0, largest - 256) // 16


def _captures_more(architecture: Architecture, capability: Capability, release: Release) -> bool:
    return release.has("captures_1024_sequences", capability=capability, architecture=architecture.architecture)


def cuda_graph_estimate(
    architecture: Architecture,
    settings: BudgetSettings,
    capability: Capability,
    *,
    release: Release,
    table: OverheadTable,
) -> ByteInterval:
    """Bytes the profiler subtracts for CUDA graphs: none when eager or where release and runner have no estimate."""
    if model_runner(architecture, release) == "v2" and not release.has("model_runner_v2_estimates_graphs"):
        return ByteInterval.exact(0)
    captures = capture_sizes(architecture, settings, capability, release)
    base = table.term("graph_estimate_mib", release.version)
    if not captures or not base.high:
        return ByteInterval.exact(0)
    slope = table.term("graph_layer_kib", release.version).times(captures * architecture.num_hidden_layers * KIB)
    return base.times(MIB) + slope


def cuda_graph_actual(
    architecture: Architecture,
    settings: BudgetSettings,
    capability: Capability,
    *,
    release: Release,
    table: OverheadTable,
) -> ByteInterval:
    """What the capture really takes after the cache is allocated."""
    captures = capture_sizes(architecture, settings, capability, release)
    if not captures:
        return ByteInterval.exact(0)
    per_layer = table.term("graph_actual_kib", release.version)
    return per_layer.times(captures * architecture.num_hidden_layers * KIB)
