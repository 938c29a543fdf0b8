"""The model as `hf_overrides` has vLLM read it: its context, by the release's own law of scaled RoPE."""

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

from generator.errors import RequestError
from generator.models.architecture import Architecture
from generator.models.release import Release

_LENGTHS = ("max_position_embeddings", "model_max_length", "max_seq_len", "n_positions")
_ROPES = ("rope_parameters", "rope_scaling")
_TEXT = ("text_config", "llm_config", "language_config")
_UNSCALED = frozenset({"default", "su", "longrope", "llama3", "mrope", "proportional"})
_YARN = frozenset({"yarn", "deepseek_yarn", "deepseek_llama_scaling"})
_UNCOUNTED = ("hf_overrides", "kv_cache_dtype_skip_layers", "use_replayssm")
READ = frozenset({*_LENGTHS, *_ROPES, *_TEXT, "rope_theta"})
"""Fields of an override that decide the context, and are read here."""


def overridden(architecture: Architecture, overrides: Any, release: Release) -> Architecture:
    """The shapes with the context that vLLM derives under the user's `hf_overrides`; as they are without such.

    Raises:
        RequestError: a length or a factor is none.
    """
    if overrides is None:
        return architecture
    if not isinstance(overrides, dict):
        raise RequestError(f"hf_overrides must be a mapping of config.json's fields, got {str(overrides)[:40]!r}")
    parts = (overrides, *(overrides[name] for name in _TEXT if isinstance(overrides.get(name), dict)))
    stated = [_length(name, part[name]) for part in parts for name in _LENGTHS if name in part]
    own = architecture.max_position_embeddings
    length = min(stated) if stated else own
    for rope in _ropes(parts):
        length = _scaled(length, rope, release)
    if length == own:
        return architecture
    tables = architecture.rotary_bytes * length // own if architecture.rotary_bytes else architecture.rotary_bytes
    return architecture.model_copy(update={"max_position_embeddings": length, "rotary_bytes": tables})


def uncounted(values: Mapping[str, Any]) -> tuple[str, ...]:
    """The user's engine values that change what vLLM builds and that no plan counts, by name."""
    read = {"hf_overrides"} if is_read(values.get("hf_overrides")) else set()
    return tuple(name for name in _UNCOUNTED if values.get(name) and name not in read)


def is_read(overrides: Any) -> bool:
    """Whether everything that the overrides state is read here."""
    if not isinstance(overrides, dict):
        return False
    nested = (overrides[name] for name in _TEXT if isinstance(overrides.get(name), dict))
    return overrides.keys() <= READ and all(part.keys() <= READ for part in nested)


def _ropes(parts: tuple[Mapping[str, Any], ...]) -> Iterator[Mapping[str, Any]]:
    """Each rotary embedding that the overrides state: one for each kind of layer where they tell them apart."""
    for rope in (part[name] for part in parts for name in _ROPES if isinstance(part.get(name), dict)):
        yield from [one for one in rope.values() if isinstance(one, dict)] or [rope]


def _scaled(length: int, rope: Mapping[str, Any], release: Release) -> int:
    """The context under one rotary embedding (vLLM config/model.py: _get_and_verify_max_len)."""
    kind = str(rope.get("rope_type") or rope.get("type") or "default")
    scales = kind in _YARN and release.has("yarn_scales_the_context")
    if kind in _UNSCALED or (kind in _YARN and not scales):
        return length
    base = _length("original_max_position_embeddings", rope.get("original_max_position_embeddings", length))
    return int((base if kind in _YARN else length) * _factor(rope.get("factor", 1.0)))


def _length(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise RequestError(f"hf_overrides: {name} must be a whole number of tokens above 0, got {value!r}")
    return value


def _factor(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value <= 0:
        raise RequestError(f"hf_overrides: a RoPE factor must be above 0, got {value!r}")
    return float(value)
