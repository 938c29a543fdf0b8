"""Reading config.json: nested text config, names that mean the same, dtype and the context that vLLM derives."""

from collections.abc import Iterator, Mapping
from typing import Any

from generator.catalogue.config_fields import context_default
from generator.errors import UnsupportedArchitectureError

Config = Mapping[str, Any]
"""A config.json, or the part of one."""

_TEXT = ("text_config", "llm_config", "language_config", "thinker_config", "decoder_config")
_LENGTHS = (
    "max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "model_max_length",
    "max_target_positions", "max_sequence_length", "max_seq_length", "seq_len",
)  # fmt: skip
_SCALED = frozenset({
    "default", "su", "longrope", "llama3", "yarn", "deepseek_yarn", "deepseek_llama_scaling", "mrope", "proportional",
})  # fmt: skip
"""RoPE types whose `max_position_embeddings` already holds the scaled context, or that scale nothing."""

_DTYPES = frozenset({"auto", "bfloat16", "float", "float16", "float32", "half"})
"""Dtypes that vLLM takes from config.json (vLLM 0.32 config/model.py:2340)."""

DEFAULT_LENGTH = 2048
"""The context that vLLM assumes where config.json names none (vLLM 0.32 config/model.py:2571)."""


def text_config(config: Config) -> Config:
    """The decoder's own config: a nested one with the outer `dtype` and ties, or config.json itself."""
    for key in _TEXT:
        nested = config.get(key)
        if isinstance(nested, dict):
            return text_config(nested) if any(isinstance(nested.get(k), dict) for k in _TEXT) else nested
    return config


def first(config: Config, *keys: str) -> Any:
    """The first of `keys` that the config sets, None where it sets none of them."""
    return next((config[key] for key in keys if config.get(key) is not None), None)


def integer(config: Config, *keys: str, default: int | None = None) -> int:
    """The first of `keys` as an integer.

    Raises:
        UnsupportedArchitectureError: the config sets none of them and there is no default.
    """
    value = first(config, *keys)
    if isinstance(value, list):
        value = value[0] if value else None
    if value is None:
        value = default
    if value is None:
        raise UnsupportedArchitectureError(
            f"config.json of model_type {config.get('model_type')!r} names no {' or '.join(keys)}; "
            "fetch the model's own config.json"
        )
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise UnsupportedArchitectureError(
            f"config.json of model_type {config.get('model_type')!r} says {keys[0]} {value!r}, not a whole number"
        )
    return int(value)


def dtype(config: Config) -> str:
    """The checkpoint's computing dtype as vLLM's `dtype=auto` takes it: float32 is run as bfloat16.

    vLLM 0.32 transformers_utils/model_arch_config_convertor.py (get_torch_dtype), config/model.py.

    Raises:
        UnsupportedArchitectureError: it is none that vLLM computes in.
    """
    text = text_config(config)
    parts = (config, text, config.get("vision_config") or {}, config.get("encoder_config") or {})
    named = next((first(part, "dtype", "torch_dtype") for part in parts if first(part, "dtype", "torch_dtype")), None)
    name = str(named or "bfloat16").removeprefix("torch.")
    if name not in _DTYPES:
        raise UnsupportedArchitectureError(
            f"config.json of model_type {config.get('model_type')!r} names the dtype {name[:80]!r}, which vLLM does "
            f"not compute in; known: {', '.join(sorted(_DTYPES))}"
        )
    return "bfloat16" if name in {"float32", "float", "auto"} else name


def max_length(config: Config) -> int:
    """The longest context that vLLM derives from config.json, in tokens (vLLM 0.32 config/model.py:2527)."""
    text = text_config(config)
    lengths = stated_lengths(text)
    assumed = context_default(str(text.get("model_type") or config.get("model_type")))
    length = text.get("model_max_length") or (min(lengths) if lengths else assumed or DEFAULT_LENGTH)
    kinds = list(rope_kinds(text))
    if any(rope_type(rope) == "longrope" for rope in kinds):
        return int(length)
    factor = 1.0
    if "gemma3" not in str(config.get("model_type", "")):
        for rope in kinds:
            if rope_type(rope) not in _SCALED:
                factor = rope.get("factor") or factor
    return int(length * factor)


def stated_lengths(text: Config) -> list[int]:
    """Every length that a text config names, of which vLLM takes the smallest."""
    return [int(text[key]) for key in _LENGTHS if isinstance(text.get(key), int | float)]


def rope_kinds(text: Config) -> Iterator[Config]:
    """The rotary embeddings that a config states: one for each kind of layer where it tells them apart."""
    for key in ("rope_scaling", "rope_parameters"):
        rope = text.get(key)
        if not isinstance(rope, dict):
            continue
        nested = [value for value in rope.values() if isinstance(value, dict)]
        yield from nested or [rope]


def rope_type(rope: Config) -> str:
    """How a rotary embedding is scaled, by Transformers' name."""
    return str(rope.get("rope_type") or rope.get("type") or "default")
