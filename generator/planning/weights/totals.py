"""Size of the whole model: parameters, those that one token uses, and bytes of the checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.parallelism import Layout
from generator.models.value import Made
from generator.planning.weights.expansion import modules
from generator.planning.weights.rank import rank_weights

if TYPE_CHECKING:
    from generator.models.architecture import Architecture
    from generator.models.quantization import Quantization


class ModelTotals(Made):
    """Figures of the unsharded model, draft layers left out."""

    parameters: int
    active_parameters: int
    """Parameters that one token uses: of routed experts the chosen ones only."""
    stored_bytes: int
    """Bytes of every tensor in its stored format, derived from shapes."""


def model_totals(architecture: Architecture, quantization: Quantization | None = None) -> ModelTotals:
    """Parameters and bytes of the model as one rank would hold it all."""
    held = [(one.matrix, len(one.layers) if one.place == "layer" else one.count) for one in modules(architecture)]
    return ModelTotals(
        parameters=sum(matrix.parameters * count for matrix, count in held),
        active_parameters=sum(matrix.active_parameters * count for matrix, count in held),
        stored_bytes=rank_weights(architecture, quantization, Layout()).worst.total_bytes,
    )
