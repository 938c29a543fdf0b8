"""How encoders beside the decoder are laid out: `mm_encoder_tp_mode` as the model's class takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from generator.models.model_class import ModelClass


def encoders_whole(model_class: ModelClass, fixed: Mapping[str, object]) -> bool:
    """Whether every rank holds the encoders whole: asked for, and known to the class; else they are split anyway."""
    return fixed.get("mm_encoder_tp_mode") == "data" and model_class.whole_encoders
