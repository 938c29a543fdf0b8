"""Towers beside the decoder: which ones config.json declares, and the reader of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from generator.sources.architectures.audio import whisper_tower
from generator.sources.architectures.encoder_shape import encoder_shape
from generator.sources.architectures.fields import text_config
from generator.sources.architectures.vision import VISION, generic_tower

if TYPE_CHECKING:
    from collections.abc import Mapping

    from generator.models.architecture import Tower

    Config = Mapping[str, Any]

_DEFAULTED = frozenset({"llama4"})
"""Model types whose Transformers config fills in a tower that config.json leaves out."""


def read_towers(config: Config) -> tuple[Tower, ...]:
    """The towers of a model with a text config nested in it; none for a decoder alone."""
    text = text_config(config)
    if config.get("model_type") == "whisper":
        return (whisper_tower(config),)
    vision = config.get("vision_config") or (config.get("thinker_config") or {}).get("vision_config")
    model_type = str(config.get("model_type"))
    if text is config or not (isinstance(vision, dict) or model_type in _DEFAULTED):
        return ()
    tower = VISION.get(model_type, generic_tower)(vision or {}, text)
    return (tower.model_copy(update=encoder_shape(config, vision or {})),)


def has_generic_tower(config: Config) -> bool:
    """Whether the tower is read by standard fields, no reader knowing its family."""
    return bool(read_towers(config)) and str(config.get("model_type")) not in {*VISION, "whisper"}
