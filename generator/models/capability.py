"""CUDA compute capabilities as they compare, the generations that have a name, and sets of them in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic_core import core_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler

_FORM = re.compile(r"(\d{1,2})\.(\d)")


class Capability(int):
    """A compute capability as major * 10 + minor: 90 for an H100."""

    __slots__ = ()

    @classmethod
    def of(cls, text: str) -> Capability:
        """The capability of "8.9".

        Raises:
            ValueError: `text` is not "major.minor".
        """
        found = _FORM.fullmatch(text)
        if not found:
            raise ValueError(f"compute capability {text!r} is not of the form 8.9 (major.minor)")
        return cls(int(found[1]) * 10 + int(found[2]))

    @property
    def family(self) -> Capability:
        """The first capability of the same major version: 10.0 for 10.3; kernels are mostly chosen by it."""
        return Capability(self // 10 * 10)

    @property
    def words(self) -> str:
        """As NVIDIA writes it: 9.0."""
        return f"{self // 10}.{self % 10}"

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """A whole number in JSON."""
        return core_schema.no_info_after_validator_function(cls, core_schema.int_schema())


VOLTA, TURING, AMPERE, ADA = Capability(70), Capability(75), Capability(80), Capability(89)
HOPPER, BLACKWELL, THOR, BLACKWELL_RTX = Capability(90), Capability(100), Capability(110), Capability(120)
"""The first capability of each generation; the last four are families of their own as well. RTX and RTX PRO cards and
GB10 are of the last one."""


class CapabilitySet(str):
    """Capabilities in words, all where there are none: "9.x 12.1" (a family, one), "8.9+" (and newer), "7.5-12.1"."""

    __slots__ = ()

    def has(self, capability: Capability) -> bool:
        """Whether `capability` is one of them."""
        words = self.split()
        return not words or any(_in(word, capability) for word in words)

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """A string of such words."""
        word = r"\d{1,2}\.(x|\d\+?|\d-\d{1,2}\.\d)"
        pattern = f"^({word}( {word})*)?$"
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema(pattern=pattern))


def _in(word: str, capability: Capability) -> bool:
    if word.endswith(".x"):
        return capability // 10 == int(word[:-2])
    first, dash, last = word.removesuffix("+").partition("-")
    low = Capability.of(first)
    if word.endswith("+"):
        return capability >= low
    return low <= capability <= (Capability.of(last) if dash else low)
