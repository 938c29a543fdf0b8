"""What a family is: how its mixers and its layers are read, and its ways beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from generator.models.attention import Mixer
from generator.sources.architectures.decoder import Decoder, Ways

Config = Mapping[str, Any]
Mixers = tuple[Mixer | None, ...]


class Family(NamedTuple):
    """One `model_type` of a text config, as vLLM's class for it builds it."""

    mixers: Callable[[Config], Mixers]
    """One mixer a layer, in order."""
    decoder: Callable[[Config, Mixers], Decoder]
    """The layers around them."""
    ways: Ways = Ways()
    """What the class does beside them."""
