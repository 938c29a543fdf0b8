"""How compressed-tensors, AutoRound and Quark quantize a group of layers, and what vLLM has a scheme for."""

from typing import Literal

from pydantic import ConfigDict, Field

from generator.models.capability import Capability, CapabilitySet
from generator.models.value import Value

SchemePart = Literal["linear", "experts", "cache"]


class Numbers(Value):
    """How one tensor of a group is quantized: its weights, what goes into them, or what comes out."""

    kind: str = "int"
    """`int` or `float`; of AutoRound its data_type."""
    bits: int = 8
    strategy: str = "tensor"
    """What shares a scale: `tensor`, `channel`, `group`, `block`, `token`, `tensor_group` or `attn_head`."""
    group_size: int | None = None
    symmetric: bool = True
    dynamic: bool = False
    """Whether its scales are worked out while serving."""
    scale: str = ""
    """Storage format of the scales by torch's name, where it is declared."""

    @property
    def words(self) -> str:
        """Short, for a message: "int4 by group of 128 with zero points"."""
        size = f" of {self.group_size}" if self.group_size and self.group_size > 0 else ""
        zeros = "" if self.symmetric else " with zero points"
        return f"{self.kind}{self.bits} by {self.strategy.replace('_', ' ')}{size}{zeros}"


class Scheme(Value):
    """One group of layers that a checkpoint stores alike."""

    weights: Numbers
    inputs: Numbers | None = None
    """None where the layers multiply 16-bit numbers."""
    outputs: Numbers | None = None
    packing: str = ""
    """The `format` of the group or of the checkpoint; of AutoRound its packing_format."""

    @property
    def words(self) -> str:
        """Short, for a message."""
        inputs = f", inputs {self.inputs.words}" if self.inputs else ""
        return f"{self.weights.words}{inputs}{f', in {self.packing}' if self.packing else ''}"


class Side(Value):
    """Which numbers a scheme takes; what is left empty may be anything."""

    model_config = ConfigDict(strict=True)
    kind: str = ""
    bits: tuple[int, ...] = Field((), strict=False)
    strategies: tuple[str, ...] = Field((), strict=False)
    group_sizes: tuple[int, ...] = Field((), strict=False)
    """0 for one that is not stated."""
    zero_points: tuple[int, ...] | None = Field(None, strict=False)
    """Bits that may have zero points; None for any."""
    dynamic: bool | None = None
    scale: str = ""

    def takes(self, numbers: Numbers) -> bool:
        """Whether these numbers are such."""
        return (
            self.kind in ("", numbers.kind)
            and numbers.bits in (self.bits or (numbers.bits,))
            and numbers.strategy in (self.strategies or (numbers.strategy,))
            and (not self.group_sizes or (numbers.group_size or 0) in self.group_sizes)
            and (numbers.symmetric or self.zero_points is None or numbers.bits in self.zero_points)
            and self.dynamic in (None, numbers.dynamic)
            and self.scale in numbers.scale
        )


class KnownScheme(Value):
    """One scheme of a release: what it takes, and the GPUs that it runs on."""

    part: SchemePart
    weights: Side
    inputs: tuple[Side, ...] = Field((), strict=False)
    """Any of these."""
    bare: bool = False
    """Whether it takes inputs of 16 bits."""
    outputs: Side | None = None
    """What comes out is quantized so; None where it is not looked at."""
    packings: tuple[str, ...] = Field((), strict=False)
    """Any of these formats; none for all."""
    capabilities: CapabilitySet = CapabilitySet()

    def runs(self, part: SchemePart, scheme: Scheme, capability: Capability) -> bool:
        """Whether it takes a group's layers of a kind, on a GPU of `capability`."""
        return self.capabilities.has(capability) and self.takes(part, scheme)

    def takes(self, part: SchemePart, scheme: Scheme) -> bool:
        """Whether it takes a group's layers of a kind, on GPUs of its own."""
        inputs = self.bare if scheme.inputs is None else any(one.takes(scheme.inputs) for one in self.inputs)
        outputs = self.outputs is None or (scheme.outputs is not None and self.outputs.takes(scheme.outputs))
        packed = scheme.packing in (self.packings or (scheme.packing,))
        return part == self.part and inputs and outputs and packed and self.weights.takes(scheme.weights)
