"""Which format each module of each layer is stored in: a checkpoint's rules resolved against module names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from fnmatch import translate
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from generator.models.quantization import Format, Quantization, QuantRule
from generator.models.scheme import Scheme

if TYPE_CHECKING:
    from generator.planning.weights.expansion import WeightModule


_BLOCK_ONLY = frozenset({"awq", "gptq", "bitsandbytes"})
"""Methods that ask their lists about the layer of all experts alone, never about one expert's projection
(vLLM 0.32 auto_awq.py:335, utils/gptq_utils.py: get_moe_quant_method; 0.26 bitsandbytes.py:160)."""
_MERGING = frozenset({"awq", "gptq"})
"""Methods that ask also about the name of the layer that merges projections, by a part of it or an expression
(vLLM 0.26 to 0.33 utils/quant_utils.py: is_layer_skipped, utils/gptq_utils.py: get_dynamic_override)."""
_MERGED = {
    "gate_proj": "gate_up_proj", "up_proj": "gate_up_proj",
    "q_proj": "qkv_proj", "k_proj": "qkv_proj", "v_proj": "qkv_proj",
}  # fmt: skip
"""The layer in which vLLM's classes merge a projection (packed_modules_mapping)."""


class Stored(NamedTuple):
    """Layers of a module that are stored alike; `form` is None where unquantized."""

    form: Format | None
    layers: tuple[int, ...]


def stored_formats(module: WeightModule, quantization: Quantization | None) -> tuple[Stored, ...]:
    """The module's layers grouped by format; one group without layers where it lies outside the decoder."""
    if quantization is None or not module.matrix.linear:
        return (Stored(None, module.layers),)
    if not module.layers:
        return (Stored(_format(_names(module, 0, quantization.method), quantization), ()),)
    groups: dict[Format | None, list[int]] = {}
    for layer in module.layers:
        form = _format(_names(module, layer, quantization.method), quantization)
        groups.setdefault(form, []).append(layer)
    return tuple(Stored(form, tuple(layers)) for form, layers in groups.items())


def _names(module: WeightModule, layer: int, method: str) -> tuple[str, ...]:
    """Names by which a method's lists may mean the module.

    Its own and, where the method asks for it, that of the layer merged of it; for experts the block's and, but for
    methods that ask for the block alone, the first expert's.
    """
    name = module.name.replace("{L}", str(layer))
    if module.matrix.part == "vision":
        return (name, f"model.{name}")
    whole = (name, module.other_name) if module.other_name else (name,)
    if module.matrix.experts:
        return tuple(one for each in whole for one in _expert_names(each, method))
    return tuple(one for each in whole for one in _layer_names(each, method))


def _layer_names(name: str, method: str) -> tuple[str, ...]:
    block, _, projection = name.rpartition(".")
    merged = _MERGED.get(projection) if method in _MERGING else None
    return (name, f"{block}.{merged}") if merged else (name,)


def _expert_names(name: str, method: str) -> tuple[str, ...]:
    block, _, projection = name.rpartition(".")
    return (block,) if method in _BLOCK_ONLY else (block, f"{block}.0.{projection}", f"{block}.{projection}")


def parted_layer(found: Iterable[WeightModule], quantization: Quantization, *, by_name: bool) -> str:
    """The first merged layer of which a list leaves some projections alone and others not; empty for none.

    `by_name`: whether a list that means the merged layer's own name leaves it alone as a whole.
    """
    for whole, parts in _merged_layers(found):
        left = {_is_ignored(part, quantization) for part in parts}
        if len(left) > 1 and not (by_name and _is_ignored(whole, quantization)):
            return whole
    return ""


def parted_format(found: Iterable[WeightModule], quantization: Quantization) -> str:
    """The first merged layer that is not stored in the one format of its own name; empty for none."""
    for whole, parts in _merged_layers(found):
        if len({_format((name,), quantization) for name in (whole, *parts)}) > 1:
            return whole
    return ""


def parted_scheme(found: Iterable[WeightModule], quantization: Quantization) -> str:
    """The first merged layer whose projections are quantized in several ways; empty for none.

    ModelOpt's mixtures say formats alone, and one that is named stands for projections that are not.
    """
    said = dict(zip(quantization.rules, quantization.schemes or quantization.rules, strict=True))
    for whole, parts in _merged_layers(found):
        rules = {_rule((part,), quantization) for part in parts}
        ways = {said[rule] if rule else None for rule in rules} - (set() if quantization.schemes else {None})
        if len(ways) > 1 and not _is_ignored(whole, quantization):
            return whole
    return ""


def quantizes_head(quantization: Quantization) -> bool:
    """Whether the head is stored quantized."""
    return _format(("lm_head",), quantization) is not None


def _merged_layers(found: Iterable[WeightModule]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each layer of the decoder that merges projections, by its name, with theirs."""
    held: dict[tuple[str, tuple[int, ...]], set[str]] = {}
    for module in found:
        block, _, projection = module.name.rpartition(".")
        if projection in _MERGED and module.layers and module.matrix.linear and not module.matrix.experts:
            held.setdefault((f"{block}.{_MERGED[projection]}", module.layers), set()).add(projection)
    for (name, layers), shards in held.items():
        every = [one for one, merged in _MERGED.items() if name.endswith(f".{merged}")]
        for layer in layers if shards == {*every} else ():
            whole = name.replace("{L}", str(layer))
            block = whole.rpartition(".")[0]
            yield whole, tuple(f"{block}.{shard}" for shard in every)


def _is_ignored(name: str, quantization: Quantization) -> bool:
    return any(_matcher(pattern)(name) for pattern in quantization.ignored_modules)


def schemes_by_layer(module: WeightModule, quantization: Quantization) -> Iterator[tuple[int, Scheme | None]]:
    """Each of the module's layers, 0 outside the decoder, with its scheme; None where it is left alone."""
    said = dict(zip(quantization.rules, quantization.schemes, strict=True))
    for layer in module.layers or (0,):
        rule = _rule(_names(module, layer, quantization.method), quantization)
        yield layer, said[rule] if rule else None


def _format(names: tuple[str, ...], quantization: Quantization) -> Format | None:
    rule = _rule(names, quantization)
    return rule.format if rule else None


def _rule(names: tuple[str, ...], quantization: Quantization) -> QuantRule | None:
    if any(_is_ignored(name, quantization) for name in names):
        return None
    for rule in quantization.rules:
        if any(_matcher(target)(name) for target in rule.targets for name in names):
            return rule
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
