"""What to write in place of an argument that a release removed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from generator.models.value import NONE, Made

if TYPE_CHECKING:
    from collections.abc import Mapping


class Successor(Made):
    """What became of one argument."""

    last: str
    """The last release that has it."""
    instead: str
    """What to do; {value} stands for the value that was given, braces are doubled where there is such a place."""
    values: Mapping[str, str] = NONE
    """What to do for one value, by its JSON or plain word."""

    def advice(self, value: Any) -> str:
        """What to do with the argument set to `value`, None for any: one sentence without its end."""
        word = value if isinstance(value, str) else json.dumps(value)
        plain = value is None or (isinstance(value, str) and '"{value}"' in self.instead)
        text = ("VALUE" if value is None else value) if plain else json.dumps(value)
        said = self.values.get(word)
        return f"it went after vLLM {self.last}: {said or self.instead.format(value=text)}"
