"""Which format each module of each layer is stored in: a checkpoint's rules resolved against module names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fnmatch import translate
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from generator.models.quantization import Format, Quantization

if TYPE_CHECKING:
    from generator.planning.weights.expansion import WeightModule


class Stored(NamedTuple):
    """Layers of a module that are stored alike; `form` is None where unquantized."""

    form: Format | None
    layers: tuple[int, ...]


def stored_formats(module: WeightModule, quantization: Quantization | None) -> tuple[Stored, ...]:
    """The module's layers grouped by format; one group without layers where it lies outside the decoder."""
    if quantization is None or not module.matrix.linear:
        return (Stored(None, module.layers),)
    if not module.layers:
        return (Stored(_format(_names(module, 0), quantization), ()),)
    groups: dict[Format | None, list[int]] = {}
    for layer in module.layers:
        groups.setdefault(_format(_names(module, layer), quantization), []).append(layer)
    return tuple(Stored(form, tuple(layers)) for form, layers in groups.items())


def _names(module: WeightModule, layer: int) -> tuple[str, ...]:
    """Names by which lists may mean the module: its own, and for experts the block's and the first expert's."""
    name = module.name.replace("{L}", str(layer))
    if module.matrix.part == "vision":
        return (name, f"model.{name}")
    whole = (name, module.other_name) if module.other_name else (name,)
    if not module.matrix.experts:
        return whole
    return tuple(one for each in whole for one in _expert_names(each))


def _expert_names(name: str) -> tuple[str, ...]:
    block, _, projection = name.rpartition(".")
    return (block, f"{block}.0.{projection}", f"{block}.{projection}")


def _format(names: tuple[str, ...], quantization: Quantization) -> Format | None:
    if any(_matcher(pattern)(name) for pattern in quantization.ignored_modules for name in names):
        return None
    for rule in quantization.rules:
        if any(_matcher(target)(name) for target in rule.targets for name in names):
            return rule.format
    return None


@lru_cache(maxsize=4096)
def _matcher(pattern: str) -> Callable[[str], object]:
    """A test of full names for one pattern: `re:` expression, glob with `*`, or exact with number sets."""
    if pattern.startswith("re:"):
        return re.compile(pattern[3:]).match
    parts = re.split(r"(\{[0-9,-]+\})", pattern)
    expression = "".join(_numbers(part) if part.startswith("{") else translate(part)[4:-3] for part in parts if part)
    return re.compile(expression).fullmatch


def _numbers(word: str) -> str:
    """The alternatives that a set such as `{0-3,7}` stands for."""
    return "(?:" + "|".join(map(str, _expand(word[1:-1]))) + ")"


def _expand(words: str) -> Iterator[int]:
    for word in words.split(","):
        first, _, last = word.partition("-")
        yield from range(int(first), int(last or first) + 1)
