"""A number with its honest range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from pydantic import ConfigDict


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteInterval:
    """Bytes of one rank: the expected value and the range it lies in; exact when all three agree.

    A plain dataclass, not a `Value`: a budget adds up some fifty of them, and a plan draws up hundreds of budgets.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    expected: int
    low: int
    high: int

    @classmethod
    def exact(cls, value: int) -> Self:
        """The interval of a figure that is known to the byte."""
        return cls(expected=value, low=value, high=value)

    def __post_init__(self) -> None:
        if not self.low <= self.expected <= self.high:
            raise ValueError(f"expected low <= expected <= high, got {self.low}, {self.expected}, {self.high}")

    def __add__(self, other: ByteInterval) -> ByteInterval:
        return ByteInterval(
            expected=self.expected + other.expected, low=self.low + other.low, high=self.high + other.high
        )
