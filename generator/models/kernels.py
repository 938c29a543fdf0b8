"""Kernels by vLLM's names: what a plan's layers run in, and which of them run experts (`moe_backend`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.value import NONE, Made, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from generator.models.capability import Capability, CapabilitySet


class ExpertKernels(Made):
    """Where each kernel runs the experts, and where vLLM takes it unasked."""

    runs: Mapping[str, CapabilitySet]
    chosen: Mapping[str, CapabilitySet] = NONE
    """What vLLM takes by itself where each rank holds a part of every expert."""
    chosen_whole: Mapping[str, CapabilitySet] = NONE
    """What it takes where a rank holds whole experts (expert parallelism)."""

    def able(self, capability: Capability) -> tuple[str, ...]:
        """Kernels that run on a GPU."""
        return tuple(name for name, on in self.runs.items() if on.has(capability))

    def unasked(self, capability: Capability, *, whole: bool) -> str:
        """What vLLM takes by itself on a GPU; empty where the releases that were asked do not agree."""
        chosen = self.chosen_whole if whole else self.chosen
        found = [name for name, on in chosen.items() if on.has(capability)]
        return found[0] if len(found) == 1 else ""


class Kernels(Value):
    """What the layers run in, by vLLM's names."""

    attention: tuple[str, ...] = ()
    """Attention backends, in the order of the layers."""
    experts: str = ""
    """The kernel of the routed experts (`moe_backend`); empty without any, and where it was not asked of vLLM."""
