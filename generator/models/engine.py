"""One vLLM release: the flags its own parser accepts."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

from generator.models.value import Value

FlagType = Literal["bool", "int", "float", "str", "json", "list"]


class Flag(Value):
    """One `vllm serve` flag of a release."""

    name: str
    """The argument's name with underscores: `max_model_len`."""
    type: FlagType
    choices: tuple[str, ...] = ()
    default: Any = None
    negation: str | None = None
    """The spelling that turns a boolean off: `no-enable-prefix-caching`."""


class Engine(Value):
    """A vLLM release: version, container image and flags."""

    version: str
    image: str
    """Image tag of the release: `vllm/vllm-openai:v0.33.0`."""
    flags: tuple[Flag, ...]
    default_gpu_memory_utilization: float
    source: str

    @cached_property
    def by_name(self) -> dict[str, Flag]:
        """Flags by argument name."""
        return {flag.name: flag for flag in self.flags}
