"""AutoRound checkpoints: integers packed as GPTQ or AWQ pack them, MX formats or FP8 blocks, with overrides by module.

Reads vLLM 0.33 layers/quantization/inc (inc.py, config_parser.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from generator.errors import UnknownFactError
from generator.models.quantization import (
    FP8_TENSOR,
    MXFP4,
    MXFP4_EXPERTS,
    MXFP8,
    NVFP4,
    Format,
    Quantization,
    QuantRule,
    fp8,
    gptq_integers,
    packed_integers,
)
from generator.models.scheme import Numbers, Scheme
from generator.sources.architectures.patterns import ALL, EXPERT_PATTERNS, HEADS, module_patterns

if TYPE_CHECKING:
    from generator.sources.architectures.fields import Config

_BACKENDS = frozenset({"auto", "gptq", "gptq:marlin", "awq", "awq:marlin", "marlin"})
"""All that vLLM 0.20.2 to 0.33.0 takes (inc.py: SUPPORTED_BACKENDS)."""
_PLAIN = 16
_EXPRESSION = frozenset(r"*+?^$()[]{}|\\")


def read_auto_round(declared: Config) -> Quantization:
    """One rule for each override in `extra_config`, then one for every other module.

    Raises:
        UnknownFactError: it names a kernel that no release takes.
    """
    backend = declared.get("backend") or declared.get("vllm_backend") or "auto"
    if backend not in _BACKENDS:
        raise UnknownFactError(
            f"backend {str(backend)[:80]!r} of AutoRound is none that vLLM takes ({', '.join(sorted(_BACKENDS))}): "
            "choose another checkpoint, or write auto in its config.json"
        )
    said = list(_said(declared))
    bits, group = int(declared.get("bits", 4)), declared.get("group_size", 128)
    return Quantization(
        method="inc", bits=bits, group_size=group if isinstance(group, int) else None,
        rules=tuple(rule for rule, _ in said), schemes=tuple(scheme for _, scheme in said),
    )  # fmt: skip


def _said(declared: Config) -> Iterator[tuple[QuantRule, Scheme | None]]:
    """Rules with what says them, in the order in which vLLM asks: names, expressions, and the rest."""
    for names, own in _alike(declared.get("extra_config") or {}):
        yield from _rules(module_patterns(names), {**declared, **own})
    yield QuantRule(targets=HEADS), None
    blocks = declared.get("block_name_to_quantize") or declared.get("to_quant_block_names") or ""
    named = blocks.split(",") if isinstance(blocks, str) else blocks
    yield from _rules(module_patterns(f"{name.strip()}.*" for name in named if name.strip()) or ALL, declared)


def _alike(overrides: Config) -> Iterator[tuple[list[str], Config]]:
    """Names that are overridden alike, whole names first; an expression is found anywhere in a name."""
    held: dict[str, tuple[list[str], Config]] = {}
    for name, given in sorted(overrides.items(), key=lambda item: bool(_EXPRESSION & set(item[0]))):
        own = {key: given[key] for key in ("bits", "group_size", "sym") if key in given}
        if not _reads(name):
            continue
        found = f"re:{'' if name.startswith('^') else '.*'}(?:{name})" if _EXPRESSION & set(name) else name
        held.setdefault(f"{found[:3] == 're:'} {own}", ([], own))[0].append(found)
    yield from held.values()


def _reads(name: str) -> bool:
    """Whether the name is one, or an expression that Python reads; vLLM passes over others (config_parser.py)."""
    try:
        re.compile(name)
    except re.error:
        return not _EXPRESSION & set(name)
    return True


def _rules(targets: tuple[str, ...], declared: Config) -> Iterator[tuple[QuantRule, Scheme | None]]:
    if int(declared.get("bits", 4)) >= _PLAIN:
        yield QuantRule(targets=targets), None
        return
    form, scheme = _format(declared), _scheme(declared)
    if form == MXFP4 and targets == ALL:
        yield QuantRule(targets=EXPERT_PATTERNS, format=MXFP4_EXPERTS), scheme
    yield QuantRule(targets=targets, format=form), scheme


def _kind(declared: Config) -> str:
    kind = str(declared.get("data_type") or "int").lower()
    return "mx_fp" if "mx_fp" in kind else "fp" if kind == "fp8" else kind


def _format(declared: Config) -> Format:
    kind, bits, group = _kind(declared), int(declared.get("bits", 4)), declared.get("group_size", 128)
    if kind == "mx_fp":
        return MXFP4 if bits == 4 else MXFP8  # noqa: PLR2004
    if kind.startswith("nv_fp"):
        return NVFP4
    if kind == "fp":
        return fp8(group) if isinstance(group, list) else FP8_TENSOR
    size = group if isinstance(group, int) else 0
    return packed_integers(bits, size, zero_points=True) if "awq" in _packing(declared) else gptq_integers(bits, size)


def _scheme(declared: Config) -> Scheme:
    group: Any = declared.get("group_size", 128)
    strategy = "block" if isinstance(group, list) else "group" if group > 0 else "channel"
    weights = Numbers(
        kind=_kind(declared), bits=int(declared.get("bits", 4)), strategy=strategy,
        group_size=group if isinstance(group, int) else None, symmetric=bool(declared.get("sym", True)),
    )  # fmt: skip
    return Scheme(weights=weights, packing=_packing(declared))


def _packing(declared: Config) -> str:
    """The format of the file, or the one that vLLM takes where it is not said (inc.py: from_config)."""
    kind = _kind(declared)
    unsaid = "auto_round:llm_compressor" if kind == "mx_fp" else "auto_round:fp8" if kind == "fp" else ""
    return str(declared.get("packing_format") or unsaid or "auto_round:auto_gptq")
