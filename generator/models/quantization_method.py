"""What vLLM asks of a GPU and of a checkpoint for each quantization method."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from generator.models.capability import Capability
from generator.models.quantization import Format, Quantization
from generator.models.release import is_between, release_key
from generator.models.value import Value

ProductFormat = Literal["int8", "fp8", "fp4"]
OnlinePart = Literal["linear", "experts"]
HALVES = ("float16", "bfloat16")
"""Dtypes that every method computes in where its row names no others."""


class QuantizationMethod(Value):
    """One quantization method of vLLM."""

    name: str
    aliases: tuple[str, ...] = Field((), strict=False)
    """Other names that vLLM or a config.json uses for it."""
    minimum_capability: Capability
    """Oldest compute capability that vLLM starts the method on."""
    older: dict[str, Capability] = Field(default_factory=dict)
    """Another minimum capability, by the last release that had it."""
    arithmetic: ProductFormat | None = None
    """Format that the matrices are multiplied in where the GPU has it; None for 16 bits always."""
    native_capability: Capability | None = None
    """Oldest compute capability with that arithmetic; below it the weights are unpacked to 16 bits."""
    stored: Format | None = None
    """How a checkpoint of the method stores its matrices; None where its own config.json says it."""
    covers: Literal["all", "experts"] = "all"
    """Which matrices `stored` is true of."""
    online: tuple[OnlinePart, ...] = Field((), strict=False)
    """What is quantized while loading an unquantized checkpoint; empty where vLLM cannot."""
    online_since: str = "0.0.0"
    """First release that can, where earlier ones knew the method for checkpoints only."""
    dtypes: tuple[str, ...] = Field(HALVES, strict=False)
    """Dtypes of the model that it computes in, where the checkpoint has the method."""
    plain_until: str = ""
    """Last release with kernels of the method that compute in float16 alone, beside those that take both."""
    needs: tuple[str, ...] = Field((), strict=False)
    """Keys that vLLM reads from a checkpoint's config without a default; names of one key behind `|`."""
    widths: tuple[int, ...] = Field((), strict=False)
    """Bits of a weight that it loads; none for any."""
    symmetric: bool = False
    """True where it loads no zero points."""
    groups: tuple[int, ...] = Field((), strict=False)
    """Weights that share a scale, -1 for a whole row, in kernels that compute in both dtypes; none for any."""
    only_groups: bool = False
    """True where it loads no others."""
    widths_since: str = "0.0.0"
    """First release of which widths, symmetric and only_groups are true."""
    detects: Literal["", "all", "gpt_oss_mxfp4"] = ""
    """Checkpoints that vLLM loads so whatever the user names: all of the method, those of one kernel, or none."""
    unbiased: dict[str, str] = Field(default_factory=dict)
    """Formats of experts that it has no place for biases of, by the last release without; empty for every one."""
    loads_others: bool = False
    """True where it loads checkpoints of other methods in kernels of its own, if the user names it."""
    deprecated: bool = False
    """True where vLLM also needs --allow-deprecated-quantization."""
    rocm: bool = False
    """True where vLLM takes it on AMD's GPUs."""
    source: str

    def goes_by(self, name: str | None) -> bool:
        """Whether vLLM or a config.json calls it `name`."""
        return name in (self.name, *self.aliases)

    def minimum_for(self, version: str) -> Capability:
        """Oldest compute capability that release `version` ("0.26.0") starts the method on."""
        release = release_key(version)
        bounds = sorted((release_key(last), capability) for last, capability in self.older.items())
        return next((capability for last, capability in bounds if release <= last), self.minimum_capability)

    def is_online_in(self, version: str) -> bool:
        """Whether release `version` can apply the method to an unquantized checkpoint while loading it."""
        return bool(self.online) and release_key(version) >= release_key(self.online_since)

    def keeps_biases(self, version: str, form: str) -> bool:
        """Whether release `version` has a place for the biases of experts that are stored in `form`."""
        return form not in self.unbiased or not is_between(version, None, self.unbiased[form] or None)

    def loads(self, version: str, *, bits: int, group: int, symmetric: bool) -> bool:
        """Whether release `version` loads weights of so many bits, `group` of which share a scale (-1: a whole row).

        They have zero points unless they are symmetric.
        """
        if release_key(version) < release_key(self.widths_since):
            return True
        return self._fits(bits, symmetric=symmetric) and (not self.only_groups or group in self.groups)

    def _fits(self, bits: int, *, symmetric: bool) -> bool:
        return (not self.widths or bits in self.widths) and (symmetric or not self.symmetric)

    @property
    def able(self) -> str:
        """What it loads, in words."""
        sizes = [str(size) for size in self.groups if size > 0]
        groups = f", by row or groups of {', '.join(sizes)}" if self.only_groups else ""
        return f"{' or '.join(map(str, self.widths))} bits{', symmetric' if self.symmetric else ''}{groups}"

    def lacking(self, declared: Mapping[str, Any]) -> tuple[str, ...]:
        """What a checkpoint's config lacks of `needs`."""
        return tuple(
            need.replace("|", " or ") for need in self.needs if not any(name in declared for name in need.split("|"))
        )

    def computes_in(self, *, online: bool) -> tuple[str, ...]:
        """Dtypes of the model that it takes; where it is applied while loading, the two of 16 bits."""
        return HALVES if online else self.dtypes

    def runs_plain(self, version: str, stored: Quantization, *, asked: str | None) -> bool:
        """Whether release `version` keeps to the kernels of float16 alone.

        It does where the user names the method itself, and where its other kernels lack the width, the groups or the
        zero points (vLLM 0.20.2 gptq_marlin.py: override_quantization_method).
        """
        if not self.plain_until or not is_between(version, None, self.plain_until):
            return False
        pointed = (stored.symmetric or not self.symmetric) and not stored.lacks_zero_points
        fits = stored.bits in self.widths and pointed
        grouped = not self.groups or all(group in self.groups for _, group in stored.packed)
        return asked == self.name or not (fits and grouped)
