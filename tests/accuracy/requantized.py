"""Quantizations of rows whose checkpoint is not the one that their config.json describes.

startup-logs.md: for requantized variants the quantization comes from the row. These are the producers' usual
schemes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNQUANTIZED = ["lm_head"]
_IGNORED = [
    "lm_head",
    "re:.*visual.*",
    "re:.*vision_tower.*",
    "re:.*linear_attn.*",
    "re:.*mlp.gate$",
    "re:.*router.*",
    "re:.*shared_expert_gate$",
    "re:.*mtp.*",
]
"""What recipes of compressed-tensors leave out."""
_BLOCK_FP8 = {
    "quant_method": "fp8",
    "activation_scheme": "dynamic",
    "weight_block_size": [128, 128],
    "modules_to_not_convert": _UNQUANTIZED,
}
_AWQ = {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, "version": "gemm"}


def _compressed(weights: dict[str, Any], form: str) -> dict[str, Any]:
    return {
        "quant_method": "compressed-tensors",
        "format": form,
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}},
        "ignore": _IGNORED,
    }


_MARKS = {"fp8": "FP8", "awq": "AWQ", "modelopt": "NVFP4", "mxfp4": "gpt-oss"}
"""What the names of published checkpoints say of the method; compressed-tensors is never in a name."""

_INT4 = _compressed(
    {"num_bits": 4, "type": "int", "group_size": 128, "strategy": "group", "symmetric": True},
    "pack-quantized",
)
_NVFP4 = _compressed(
    {"num_bits": 4, "type": "float", "group_size": 16, "strategy": "tensor_group", "symmetric": True},
    "nvfp4-pack-quantized",
)


def is_requantized(row: Mapping[str, str]) -> bool:
    """True where the row's scheme is not the one of the config.json that stands in for it."""
    stated = row["quantization"].partition("_")[0]
    return bool(stated) and _MARKS.get(stated, "no such config") not in row["config_file"]


def quantization_config(row: Mapping[str, str], config: Mapping[str, Any]) -> dict[str, Any] | None:
    """The scheme that the row states where config.json has another; None where config.json is right."""
    own = (config.get("quantization_config") or {}).get("quant_method", "")
    stated = row["quantization"]
    if not stated or stated.partition("_")[0] == str(own).partition("_")[0] or stated in ("mxfp4", "auto_round"):
        return None
    if stated == "fp8":
        return _BLOCK_FP8
    if stated.startswith("awq"):
        return _AWQ
    if stated == "compressed-tensors":
        return _NVFP4 if "FP4" in row["model"].upper() else _INT4
    return None
