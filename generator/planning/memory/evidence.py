"""What of a replica public starts show, how much wider a budget's range is where few do, and what stays in doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.overheads import OverheadTable
from generator.models.release import release_key
from generator.planning.kinds.of import attentions_of
from generator.planning.memory import encoder, overhead
from generator.planning.replica import once_a_replica

if TYPE_CHECKING:
    from generator.planning.replica import Replica


def regions(replica: Replica) -> tuple[str, ...]:
    """The kinds of start that the replica is: by layout, modality, experts and compute capability."""
    model, layout = replica.architecture, replica.layout
    images = bool(model.towers) and not replica.settings.language_model_only
    return (
        _ranks(layout.tensor_parallel_size, layout.pipeline_parallel_size),
        "images beside text" if images else "text alone",
        "experts" if model.is_moe else "dense layers",
        f"compute capability {replica.gpu.capability.words}",
    )


def _ranks(tensor: int, stages: int) -> str:
    if stages > 1:
        return "pipeline stages"
    return {1: "one rank", 2: "two ranks"}.get(tensor, "more than two ranks")


@once_a_replica
def calibration(replica: Replica, table: OverheadTable) -> str:
    """What the items rest on, and what they were not calibrated for."""
    outside = uncalibrated(replica, table)
    limits = f"; not calibrated for {', '.join(outside)}" if outside else ""
    return f"{table.calibration_set}{limits}"


@once_a_replica
def widening(replica: Replica, table: OverheadTable) -> float:
    """Factor on the range of the cache's memory."""
    return table.widening.always * (table.widening.thin if uncalibrated(replica, table) else 1)


@once_a_replica
def uncalibrated(replica: Replica, table: OverheadTable) -> tuple[str, ...]:
    """What of the replica the items were not calibrated for, a few words each."""
    outside, release = [], replica.release
    if not release_key(table.calibrated_since) <= release_key(release.version) <= release_key(table.calibrated_until):
        outside.append(f"vLLM {release}")
    if replica.gpu.unified_memory:
        outside.append("unified memory (page cache and neighbours move it by gibibytes)")
    else:
        outside += _thin(replica, table)
    if replica.gpu.slice_of or replica.gpu.vgpu_of:
        outside.append("a part of a GPU (no public start shows it)")
    if any(attention.sparse for attention in attentions_of(replica.architecture)):
        outside.append("sparse attention (its workspaces are read in vLLM's code)")
    return tuple(outside)


def _thin(replica: Replica, table: OverheadTable) -> list[str]:
    """Regions of the replica that too few sources show, each with how many do."""
    counted = {name: table.sources(name) for name in regions(replica)}
    thin = {name: sources for name, sources in counted.items() if sources < table.widening.enough_sources}
    return [f"{name} ({_sources(sources)})" for name, sources in thin.items()]


def _sources(count: int) -> str:
    return {0: "no public start shows it", 1: "one public source"}.get(count, f"{count} public sources")


_WIDE = 4
"""A range wider than this part of its figure: one coefficient for towers of every width."""


@once_a_replica
def encoder_doubt(replica: Replica, table: OverheadTable) -> int:
    """Bytes that the first stage's peak may take beyond its range, as many as the range reaches above its figure.

    0 where the peak is not its encoder's, or more than a wide range is known of it.
    """
    if not overhead.profiles_encoder(replica):
        return 0
    factor = table.term(encoder.term(replica.architecture), replica.release.version)
    block = factor.times(encoder.block_bytes(replica))
    peak = overhead.activation_peak(replica, table)
    decides = peak.expected == block.expected and (block.high - block.low) * _WIDE > block.expected
    return block.high - block.expected if decides else 0
