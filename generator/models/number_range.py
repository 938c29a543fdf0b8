"""Numbers among a release's arguments: what vLLM's configuration classes take of them."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from generator.errors import RequestError
from generator.models.value import Made

_IS_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")
_WIDEST = 2**63
"""No number of vLLM's is wider: its tensors hold 64 bits."""


class NumberRange(Made):
    """The numbers that one argument takes, or one key of an argument that is a mapping."""

    name: str
    """`cpu_offload_gb`, or `limit_mm_per_prompt.*` for every key of that mapping."""
    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None
    whole: bool = False

    def holds(self, value: float) -> bool:
        """True where the number lies within all bounds."""
        return (
            (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.most is None or value <= self.most)
            and (self.below is None or value < self.below)
            and not (self.whole and isinstance(value, float))
        )

    @property
    def words(self) -> str:
        """The bounds as a sentence goes on after "must be": `above 0 and at most 1`."""
        least, above = self.least, self.above
        if self.whole and above is not None:
            least, above = above + 1, None
        pairs = (("at least", least), ("above", above), ("at most", self.most), ("below", self.below))
        return " and ".join(f"{word} {bound:g}" for word, bound in pairs if bound is not None)


def check_numbers(name: str, value: Any, known: Mapping[str, NumberRange]) -> None:
    """Return only where vLLM takes every number of an argument's value, those inside mappings included.

    Raises:
        RequestError: one is out of its range, is no finite number, or is wider than 64 bits.
    """
    for path, number in _leaves(name, value):
        if isinstance(number, str):
            _check_word(path, number, known.get(path) or known.get(_any_key(path)))
            continue
        if isinstance(number, int) and abs(number) >= _WIDEST:
            raise RequestError(f"{path} must be a number that 64 bits hold")
        range_ = known.get(path) or known.get(_any_key(path))
        if range_ is not None and not range_.holds(number):
            whole = "a whole number, " if range_.whole and isinstance(number, float) else ""
            raise RequestError(f"{path} must be {whole}{range_.words}, got {number}")
        if not math.isfinite(number):
            raise RequestError(f"{path} must be a finite number, got {number}")


def _check_word(path: str, word: str, range_: NumberRange | None) -> None:
    """A word inside a mapping stands for a number where one is wanted, as pydantic reads it."""
    if range_ is not None and "." in path and not _IS_NUMBER.fullmatch(word.strip()):
        raise RequestError(f"{path} must be {'a whole number' if range_.whole else 'a number'}, got {word[:40]!r}")


def _leaves(path: str, value: Any) -> Iterator[tuple[str, float | str]]:
    """Every number and word of a value, by the keys that lead to it; a list's have the list's name."""
    if isinstance(value, dict):
        for key, inside in value.items():
            yield from _leaves(f"{path}.{key}", inside)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _leaves(path, one)
    elif isinstance(value, int | float | str) and not isinstance(value, bool):
        yield path, value


def _any_key(path: str) -> str:
    """The path with a star for the first key of its mapping."""
    argument, _, rest = path.partition(".")
    _, dot, inside = rest.partition(".")
    return f"{argument}.*{dot}{inside}"
