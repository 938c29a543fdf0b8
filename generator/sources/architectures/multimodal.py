"""Towers beside the decoder: vision encoders and their projectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from generator.models.architecture import Tower


def read_towers(config: Mapping[str, Any]) -> tuple[Tower, ...]:
    """The towers that config.json declares beside the decoder."""
    del config
    return ()
