"""Bounds at the reader's door: what a config.json states counts something, and a RoPE is one of vLLM's, or it lies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any

from generator.catalogue.config_fields import held_by_fields
from generator.errors import SourceError
from generator.sources.architectures.compressed_tensors import sides_of
from generator.sources.architectures.fields import Config, text_config

if TYPE_CHECKING:
    from generator.catalogue.config_fields import Held

_POSITIVE = frozenset({
    "head_dim", "hidden_size", "intermediate_size", "kv_lora_rank", "max_position_embeddings", "moe_intermediate_size",
    "n_embd", "n_head", "n_layer", "n_positions", "num_attention_heads", "num_experts_per_tok", "num_hidden_layers",
    "num_key_value_heads", "vocab_size",
})  # fmt: skip
"""Fields that vLLM divides by or multiplies with: none of them is 0."""
_WHOLE = ("_dim", "_experts", "_heads", "_layers", "_rank", "_size", "_window")
"""Endings of the names of fields that count something."""
_MOST = 2**40
"""Beyond any model: the largest context of 2026 is 10 million tokens."""
_MOST_LAYERS = 10_000
"""Layers are told apart one by one; no model of 2026 has 1,000."""
_LAYERS = ("_layers", "n_layer", "num_layer")
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
_CHOSEN = ("num_experts_per_tok", "num_selected_experts", "moe_top_k")
_HELD: Mapping[Held, tuple[type | tuple[type, ...], str]] = {
    "flag": (bool, "true or false"),
    "number": ((int, float), "a number"),
    "word": (str, "a word"),
    "list": ((list, tuple), "a list"),
    "mapping": (dict, "a mapping"),
}
_TOWERS = ("vision_config", "audio_config", "vit_config", "vision_tower_config", "sound_config")
_BITS = range(1, 33)
_SIDES = 2
"""Of a block: its rows and its columns."""
_LONGEST = 200
"""Letters of a class's name."""
_STATES = ("auto", "bfloat16", "float16", "float32")
"""Dtypes that vLLM keeps states in (vLLM 0.33 config/cache.py: MambaDType)."""


def check_config(config: Config, where: str) -> None:
    """Return only where every field that a plan may count with is a count, and those that divide do.

    Raises:
        SourceError: one is not; its name and value.
    """
    text = text_config(config)
    parts = [config] if text is config else [config, text]
    _check_names(config, where)
    for tower in (config[name] for name in _TOWERS if isinstance(config.get(name), dict)):
        for name, value in tower.items():
            if name not in _POSITIVE:
                _check_count(name, value, where)
    for part in parts:
        for name, value in part.items():
            _check_kind(name, value, where)
            _check_count(name, value, where)
        if (kept := part.get("mamba_ssm_cache_dtype")) not in (None, *_STATES):
            raise _lie(where, "mamba_ssm_cache_dtype", kept, f"one of {', '.join(_STATES)}")
        if (wrong := wrong_rope(part, own_code="auto_map" in config)) is not None:
            name, value, wanted = wrong
            raise _lie(where, name, value, wanted)
        _check_quantization(part.get("quantization_config"), where)
    _check_divisions(text, where)


def _check_names(config: Config, where: str) -> None:
    """The classes are a list of words, and so is the type a word."""
    classes, own = config.get("architectures"), config.get("model_type")
    if classes is not None and not (isinstance(classes, list) and all(map(_is_word, classes))):
        raise _lie(where, "architectures", classes, "a list of classes")
    if own is not None and not _is_word(own):
        raise _lie(where, "model_type", own, "the name of a type of Transformers'")


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST


def _check_kind(name: str, value: Any, where: str) -> None:
    """A field holds what its class in Transformers holds: "expected bool, got str" ends a start."""
    held = held_by_fields().get(name)
    if value is None or held is None:
        return
    types, words = _HELD[held]
    if not isinstance(value, types) or (isinstance(value, bool) and held != "flag"):
        raise _lie(where, name, value, words)


def _check_count(name: str, value: Any, where: str) -> None:
    if name not in _POSITIVE and not (name.endswith(_WHOLE) and not isinstance(value, str | bool)):
        return
    least = 1 if name in _POSITIVE else 0
    most = _MOST_LAYERS if name.endswith(_LAYERS) else _MOST
    for one in _numbers(value):
        whole = isinstance(one, int) and not isinstance(one, bool)
        if isinstance(one, float) and isfinite(one) and one.is_integer():
            whole = True
        if not whole or not least <= one <= most:
            raise _lie(where, name, one, f"a whole number from {least} on" + (f", {most:,} at most" if whole else ""))


def _numbers(value: Any) -> Iterator[Any]:
    """What is to be a count: the value, or those of a list by layers; nothing where it is absent."""
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, int | float) and one)
    elif value is not None and not isinstance(value, dict):
        yield value


def _check_quantization(declared: Any, where: str) -> None:
    if declared is None:
        return
    if not isinstance(declared, dict):
        raise _lie(where, "quantization_config", declared, "a mapping")
    bits, group = declared.get("bits", declared.get("w_bit")), declared.get("group_size", declared.get("q_group_size"))
    if bits is not None and (isinstance(bits, bool) or not isinstance(bits, int) or bits not in _BITS):
        raise _lie(where, "quantization_config.bits", bits, "a number of bits")
    if (
        group is not None
        and not _is_block(declared, group)
        and (isinstance(group, bool) or not isinstance(group, int) or (group < 1 and group != -1))
    ):
        raise _lie(where, "quantization_config.group_size", group, "a whole number above 0, or -1 for a channel")
    _check_expressions(declared, where)
    block, scheme = declared.get("weight_block_size"), declared.get("activation_scheme")
    if declared.get("quant_method") == "fp8" and scheme not in (None, "dynamic", *(() if block else ("static",))):
        wanted = "dynamic where weights are scaled by blocks" if block else "dynamic or static"
        raise _lie(where, "quantization_config.activation_scheme", scheme, wanted)
    for name, named in _blocks(declared):
        sides = named if isinstance(named, list) else ()
        if named is not None and not (len(sides) == _SIDES and all(map(_is_count, sides))):
            raise _lie(where, f"quantization_config.{name}", named, "two whole numbers above 0")


def _is_block(declared: Config, group: Any) -> bool:
    """Whether AutoRound says the two sides of a block in the place of a group's size (inc/config_parser.py)."""
    return isinstance(group, list) and str(declared.get("quant_method")) in {"auto-round", "inc"}


def _check_expressions(declared: Config, where: str) -> None:
    """Modules are named by expressions that Python reads: keys of GPTQ's `dynamic`, words behind `re:`."""
    dynamic = declared.get("dynamic")
    named = [name.removeprefix("-:").removeprefix("+:") for name in dynamic] if isinstance(dynamic, dict) else []
    for expression in (*named, *(word.removeprefix("re:") for word in _words(declared) if word.startswith("re:"))):
        try:
            re.compile(expression)
        except re.error:
            raise _lie(
                where, "quantization_config", expression, "a regular expression where modules are named"
            ) from None


def _words(value: Any) -> Iterator[str]:
    """Every word in a value and in what it holds."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in (*value, *value.values()) if isinstance(value, dict) else value:
            yield from _words(one)


def _blocks(declared: Config) -> Iterator[tuple[str, Any]]:
    """Rows and columns that share a scale, by the key that says them: FP8's own, and those of compressed-tensors."""
    yield "weight_block_size", declared.get("weight_block_size")
    if _is_block(declared, declared.get("group_size")):
        yield "group_size", declared["group_size"]
    groups = declared.get("config_groups")
    for group in groups.values() if isinstance(groups, dict) else ():
        weights = group.get("weights") if isinstance(group, dict) else None
        if isinstance(weights, dict):
            yield "config_groups.weights.block_structure", sides_of(weights.get("block_structure"))


def _check_divisions(text: Config, where: str) -> None:
    heads, groups = text.get("num_attention_heads"), text.get("num_key_value_heads")
    if isinstance(heads, int) and isinstance(groups, int) and heads % groups:
        raise _lie(where, "num_key_value_heads", groups, f"a divisor of the {heads} num_attention_heads")
    experts = next((text[name] for name in _EXPERTS if _is_count(text.get(name))), None)
    chosen = next((text[name] for name in _CHOSEN if _is_count(text.get(name))), None)
    if experts is not None and chosen is not None and chosen > experts:
        raise _lie(where, "num_experts_per_tok", chosen, f"at most the {experts} experts")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _lie(where: str, name: str, value: Any, wanted: str) -> SourceError:
    shown = repr(value)
    shown = shown if len(shown) <= 40 else f"{shown[:37]}..."  # noqa: PLR2004 - a line of a terminal
    return SourceError(f"{where} says {name} {shown}, which has to be {wanted}: fetch the model's own config.json.")


_NAMES = ("rope_scaling", "rope_parameters")
_KINDS = frozenset({
    "bailing_mrope", "deepseek_llama_scaling", "deepseek_yarn", "default", "dynamic", "linear", "llama3", "longrope",
    "mllama4", "mrope", "ntk", "openpangu", "proportional", "su", "telechat3-yarn", "xdrope", "yarn",
})  # fmt: skip
"""Kinds that vLLM scales by, older names of some among them (0.33 layers/rotary_embedding/__init__.py: get_rope,
transformers_utils/config.py: patch_legacy_rope_type)."""
_BY_FACTOR = frozenset({"deepseek_llama_scaling", "deepseek_yarn", "linear", "ntk", "yarn"})
_LLAMA3 = ("factor", "high_freq_factor", "low_freq_factor")
"""Fields without which Transformers stops (5.19 modeling_rope_utils.py: _validate_llama3_rope_parameters)."""
_SAME = frozenset({("longrope", "su"), ("default", "mrope")})
"""Newer and older names that may stand beside each other."""


def wrong_rope(part: Mapping[str, Any], *, own_code: bool) -> tuple[str, Any, str] | None:
    """Name, value and what is wanted of the first statement that cannot be; None where all can.

    `own_code` is True where the repository brings code of its own, whose kinds nobody here knows.
    """
    for name in _NAMES:
        found = part.get(name)
        if found is not None and not isinstance(found, dict):
            return name, found, "a mapping"
        for rope in _each(found or {}):
            factor = rope.get("factor")
            if factor is not None and not _scales(factor):
                return f"{name}.factor", factor, "a number above 0"
            if not own_code and (wrong := _wrong_kind(rope)) is not None:
                return f"{name}.{wrong[0]}", *wrong[1:]
    return None


def _each(found: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The one embedding, or those of each kind of layer."""
    nested = [one for one in found.values() if isinstance(one, dict)]
    yield from nested or (found,)


def _wrong_kind(rope: Mapping[str, Any]) -> tuple[str, Any, str] | None:
    newer, older = rope.get("rope_type"), rope.get("type")
    kind = newer or older or "default"
    if newer and older and newer != older and (newer, older) not in _SAME:
        return "type", older, f"the rope_type, {str(newer)[:40]}, or left out"
    if not isinstance(kind, str) or kind not in _KINDS:
        return ("rope_type" if newer else "type"), kind, f"one of {', '.join(sorted(_KINDS))}"
    if kind in _BY_FACTOR and "factor" not in rope:
        return "factor", None, f"a number above 0 for {kind}"
    lacking = next((name for name in _LLAMA3 if kind == "llama3" and name not in rope), None)
    if lacking:
        return lacking, None, "a number for llama3"
    if kind == "dynamic" and not {"factor", "alpha"} & rope.keys():
        return "factor", None, "a number above 0 for dynamic, or alpha in its place"
    return None


def _scales(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value > 0
