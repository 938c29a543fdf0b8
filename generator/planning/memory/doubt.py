"""What a profile's peak rests on where too little is known of it to call a start safe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.planning.memory import overhead
from generator.planning.replica import once_a_replica

if TYPE_CHECKING:
    from generator.models.overheads import OverheadTable
    from generator.planning.replica import Replica

_WIDE = 4
"""A range wider than this part of its figure: one coefficient for towers of every width, at any parallel size."""


@once_a_replica
def encoder_decides(replica: Replica, table: OverheadTable) -> bool:
    """Whether the first stage's peak is its encoder's, of which no more than a wide range is known."""
    if not overhead.profiles_encoder(replica):
        return False
    factor = table.term(overhead.encoder_term(replica.architecture), replica.release.version)
    encoder = factor.times(overhead.encoder_bytes(replica))
    peak = overhead.activation_peak(replica, table)
    return peak.expected == encoder.expected and (encoder.high - encoder.low) * _WIDE > encoder.expected
