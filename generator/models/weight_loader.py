"""What a loader of weights takes beside the format's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from generator.models.value import NONE, Made

if TYPE_CHECKING:
    from collections.abc import Mapping

_LEAST = {"count": 1, "bytes": -1}
_WORDS = {"flag": "true or false", "count": "a whole number of at least 1", "bytes": "a whole number of at least -1"}


class WeightLoader(Made):
    """One loader's vocabulary of `model_loader_extra_config`."""

    keys: Mapping[str, str] = NONE
    """What each key holds: flag, count, bytes or any."""

    def wanted(self, key: str, value: Any) -> str:
        """What the key takes in place of `value`, in words; empty where it takes that."""
        held = self.keys[key]
        if held == "flag":
            right = isinstance(value, bool)
        else:
            least = _LEAST.get(held)
            whole = isinstance(value, int) and not isinstance(value, bool)
            right = least is None or (whole and value >= least)
        return "" if right else _WORDS[held]
