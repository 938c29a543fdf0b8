"""What a profile's peak rests on where too little is known of it to call a start safe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.planning.memory import encoder, overhead
from generator.planning.replica import once_a_replica

if TYPE_CHECKING:
    from generator.models.overheads import OverheadTable
    from generator.planning.replica import Replica

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
