"""Estimates as one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def speed_text(estimate: Mapping[str, Any]) -> str:
    """The estimate as one line."""
    return ", ".join(f"{name} {value}" for name, value in estimate.items())
