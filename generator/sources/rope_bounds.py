"""Scaled rotary embeddings at the reader's door: a kind that vLLM has, and what it scales by."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NAMES = ("rope_scaling", "rope_parameters")
_KINDS = frozenset({
    "bailing_mrope", "deepseek_llama_scaling", "deepseek_yarn", "default", "dynamic", "linear", "llama3", "longrope",
    "mllama4", "mrope", "ntk", "openpangu", "proportional", "su", "telechat3-yarn", "xdrope", "yarn",
})  # fmt: skip
"""Kinds that vLLM scales by, older names of some among them (0.33 layers/rotary_embedding/__init__.py: get_rope,
transformers_utils/config.py: patch_legacy_rope_type)."""
_BY_FACTOR = frozenset({"deepseek_llama_scaling", "deepseek_yarn", "linear", "ntk", "yarn"})
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
    if kind == "dynamic" and not {"factor", "alpha"} & rope.keys():
        return "factor", None, "a number above 0 for dynamic, or alpha in its place"
    return None


def _scales(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value > 0
