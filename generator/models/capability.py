"""Compute capabilities of CUDA as they compare, AMD's architectures beside them, and sets of both in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic_core import core_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler

_FORM = re.compile(r"(\d{1,2})\.(\d)")
_GFX = re.compile(r"gfx(\d{3})")
_ROCM = 1000
"""Above every capability of CUDA; AMD's architectures lie above it by their number."""


class Capability(int):
    """A compute capability as major * 10 + minor, 90 for an H100; for AMD's gfx942 it is 1942.

    AMD's lie above all of CUDA's: "at least Ampere" is true of them where a feature is meant that they have, and a
    `CapabilitySet` of CUDA's never has one of AMD's.
    """

    __slots__ = ()

    @classmethod
    def of(cls, text: str) -> Capability:
        """The capability of "8.9", or of "gfx942".

        Raises:
            ValueError: `text` is neither.
        """
        amd = _GFX.fullmatch(text)
        if amd:
            return cls(_ROCM + int(amd[1]))
        found = _FORM.fullmatch(text)
        if not found:
            raise ValueError(f"compute capability {text!r} is not of the form 8.9 (major.minor)")
        return cls(int(found[1]) * 10 + int(found[2]))

    @property
    def family(self) -> Capability:
        """The first capability of the same major version: 10.0 for 10.3; kernels are mostly chosen by it."""
        return Capability(self // 10 * 10)

    @property
    def is_rocm(self) -> bool:
        """Whether it is an architecture of AMD, which vLLM's ROCm build serves."""
        return self >= _ROCM

    @property
    def words(self) -> str:
        """As its maker writes it: 9.0, gfx942."""
        if self.is_rocm:
            return f"gfx{self - _ROCM}"
        return f"{self // 10}.{self % 10}"

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """A whole number in JSON."""
        return core_schema.no_info_after_validator_function(cls, core_schema.int_schema())


VOLTA, TURING, AMPERE, ADA = Capability(70), Capability(75), Capability(80), Capability(89)
HOPPER, BLACKWELL, THOR, BLACKWELL_RTX = Capability(90), Capability(100), Capability(110), Capability(120)
"""The first capability of each generation; the last four are families of their own as well. RTX and RTX PRO cards and
GB10 are of the last one."""
CDNA3, CDNA4 = Capability.of("gfx942"), Capability.of("gfx950")
"""AMD's MI300 and MI350 series."""


class CapabilitySet(str):
    """Capabilities in words, all where there are none.

    "9.x 12.1" (a family, one), "8.9+" (and newer), "7.5-12.1"; of AMD "gfx942" (one) and "rocm" (all).
    """

    __slots__ = ()

    def has(self, capability: Capability) -> bool:
        """Whether `capability` is one of them."""
        words = self.split()
        return not words or any(_in(word, capability) for word in words)

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """A string of such words."""
        word = r"(\d{1,2}\.(x|\d\+?|\d-\d{1,2}\.\d)|rocm|gfx\d{3})"
        pattern = f"^({word}( {word})*)?$"
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema(pattern=pattern))


def _in(word: str, capability: Capability) -> bool:
    if word == "rocm" or word.startswith("gfx") or capability.is_rocm:
        return capability.is_rocm and word in {"rocm", capability.words}
    if word.endswith(".x"):
        return capability // 10 == int(word[:-2])
    first, dash, last = word.removesuffix("+").partition("-")
    low = Capability.of(first)
    if word.endswith("+"):
        return capability >= low
    return low <= capability <= (Capability.of(last) if dash else low)
