"""A number with its honest range."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from generator.models.value import Value


class ByteInterval(Value):
    """Bytes of one rank: the expected value and the range it lies in; exact when all three agree."""

    expected: int
    low: int
    high: int

    @classmethod
    def exact(cls, value: int) -> Self:
        """The interval of a figure that is known to the byte."""
        return cls(expected=value, low=value, high=value)

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        if not self.low <= self.expected <= self.high:
            raise ValueError(f"expected low <= expected <= high, got {self.low}, {self.expected}, {self.high}")
        return self

    def __add__(self, other: ByteInterval) -> ByteInterval:
        return ByteInterval(
            expected=self.expected + other.expected, low=self.low + other.low, high=self.high + other.high
        )
