"""Whether a checkpoint's files hold the model that its config.json describes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import SourceError
from generator.planning.weights.totals import model_totals
from generator.presenting.text import gib_text

if TYPE_CHECKING:
    from generator.models.checkpoint import ModelFacts

_LEAST = 0.75
"""Share of the shapes' bytes that tied heads, shared layers and other honest differences leave."""


def refuse_partial(facts: ModelFacts) -> None:
    """Return only where the tensors' bytes are about what the shapes take; many more are no harm.

    Raises:
        SourceError: most likely a download that did not end.
    """
    stored = facts.checkpoint.total_bytes
    if stored is None:
        return
    described = model_totals(facts.architecture, facts.checkpoint.quantization).stored_bytes
    if stored < _LEAST * described:
        raise SourceError(
            f"the safetensors files of {facts.id} hold {gib_text(stored)} of tensors, the model that its config.json "
            f"describes takes {gib_text(described)}: finish the download, or take both files from one revision."
        )
