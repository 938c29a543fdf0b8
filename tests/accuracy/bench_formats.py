"""Quantizations that bench.csv's column `weights` names, for rows whose config.json describes another checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from generator.models.dtype import DType
from generator.models.quantization import Format, Quantization, QuantRule
from generator.sources.architectures import read_quantization

if TYPE_CHECKING:
    from collections.abc import Mapping

    from generator.models.architecture import Architecture

_FP8 = Format(weights=DType.F8_E4M3, bits=8, scale_columns=0, scale_rows=1, scales=DType.F32)
_FP8_BLOCK = Format(weights=DType.F8_E4M3, bits=8, scale_rows=128, scale_columns=128, scales=DType.F32)
_INT8 = Format(weights=DType.I8, bits=8, scale_rows=1, scales="model")
_NVFP4 = Format(weights=DType.F4, bits=4, scale_rows=1, scale_columns=16, scales=DType.F8_E4M3, scalars=2)
_MXFP4 = Format(weights=DType.F4, bits=4, scale_rows=1, scale_columns=32, scales=DType.F8_E8M0, kernel="mxfp4")
_INT4 = Format(weights=DType.I32, bits=4, scale_rows=1, scale_columns=128, scales="model", zero_points=True)
_INT4_32 = Format(weights=DType.I32, bits=4, scale_rows=1, scale_columns=32, scales="model")

_FORMATS: dict[str, tuple[str, Format]] = {
    "fp8": ("fp8", _FP8),
    "fp8-dynamic": ("compressed-tensors", _FP8),
    "fp8-block": ("fp8", _FP8_BLOCK),
    "int8-w8a16": ("compressed-tensors", _INT8),
    "nvfp4": ("modelopt", _NVFP4),
    "mxfp4": ("mxfp4", _MXFP4),
    "awq-int4": ("awq", _INT4),
    "autoround-int4": ("auto_round", _INT4),
    "gptq-w4a16": ("gptq", _INT4),
    "compressed-tensors-w4a16": ("compressed-tensors", _INT4),
    "int4": ("compressed-tensors", _INT4_32),
    "int4-wo": ("compressed-tensors", _INT4_32),
}
UNQUANTIZED = ("bf16", "fp16")
NATIVE_V4 = "fp8+mxfp4-experts(native)"
KNOWN = frozenset((*_FORMATS, *UNQUANTIZED, NATIVE_V4))

_NEVER = ("lm_head", "re:.*router.*", r"re:.*\.gate$", r"re:.*conv1d.*")
_ATTENTION = ("re:.*self_attn.*", "re:.*linear_attn.*", r"re:.*mixer\.(in|out|q|k|v|o)_proj.*")
_EXPERTS_ONLY = (*_ATTENTION, "re:.*shared_expert.*", r"re:.*mlp\.(gate|up|gate_up|down)_proj.*")
_FAMILIES = {"mxfp4": "mxfp4", "modelopt": "nvfp4", "compressed-tensors": "int4"}
"""Schemes that a config.json may declare, and the word of `weights` that they agree with."""


def quantization_of(
    row: Mapping[str, str], config: Mapping[str, Any], architecture: Architecture
) -> Quantization | None:
    """How the row's checkpoint stores its weights."""
    weights = row["weights"]
    if weights in UNQUANTIZED:
        return None
    text = config.get("text_config") or {}
    declared = (config.get("quantization_config") or text.get("quantization_config") or {}).get("quant_method")
    if weights.startswith(_FAMILIES.get(str(declared), "-")):
        own = read_quantization(config)
        if own is not None:
            return own
    if weights == NATIVE_V4:
        rules = (
            QuantRule(targets=(r"re:.*\.experts(\..*)?$",), format=_MXFP4),
            QuantRule(targets=("*",), format=_FP8_BLOCK),
        )
        return Quantization(method="fp8", bits=8, ignored_modules=_NEVER, rules=rules)
    if weights == "fp8" and row["model_id"].startswith("Qwen/") and row["model_id"].endswith("-FP8"):
        weights = "fp8-block"  # all of Qwen's own are in blocks of 128
    method, form = _FORMATS[weights]
    rules = (QuantRule(targets=("*",), format=form),)
    return Quantization(method=method, bits=form.bits, ignored_modules=_ignored(weights, architecture), rules=rules)


def _ignored(weights: str, architecture: Architecture) -> tuple[str, ...]:
    """Modules left alone: MXFP4 and NVFP4 producers skip attention, Moonshot's INT4 all but routed experts."""
    latent = any(getattr(layer.mixer, "kind", "") in ("mla", "sparse_mla") for layer in architecture.layer_kinds)
    if weights == "mxfp4" or (weights.startswith("int4") and latent):
        return (*_NEVER, *_EXPERTS_ONLY)
    if weights == "nvfp4":
        return (*_NEVER, *_ATTENTION)
    return _NEVER
