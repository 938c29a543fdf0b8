"""What to write in place of an argument that a release removed."""

from __future__ import annotations

import json
from typing import Any

from pydantic import Field

from generator.models.value import Value


class Successor(Value):
    """What became of one argument."""

    last: str
    """The last release that has it."""
    instead: str
    """What to do; {value} stands for the value that was given, braces are doubled where there is such a place."""
    values: dict[str, str] = Field(default_factory=dict)
    """What to do for one value, by its JSON or plain word."""

    def advice(self, value: Any) -> str:
        """What to do with the argument set to `value`: one sentence without its end."""
        word = value if isinstance(value, str) else json.dumps(value)
        text = value if isinstance(value, str) and '"{value}"' in self.instead else json.dumps(value)
        said = self.values.get(word)
        return f"it went after vLLM {self.last}: {said or self.instead.format(value=text)}"
