"""The shape of an encoder's forward pass, which vLLM profiles: widths, and patches that become one token."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    Config = Mapping[str, Any]

_QWEN2_WIDTH = 1280
"""Transformers' default of Qwen2-VL and Qwen2.5-VL."""


def encoder_shape(config: Config, vision: Config) -> dict[str, Any]:
    """Fields of `Tower` that tell what a pass over one input takes."""
    hidden = _width(vision)
    inner = vision.get("vt_intermediate_size") or vision.get("intermediate_size")
    return {
        "hidden_size": hidden,
        "intermediate_size": int(inner or hidden * float(vision.get("mlp_ratio") or 4)),
        "patches_per_token": _patches_per_token(config, vision),
        "any_resolution": "spatial_merge_size" in vision or "merge_kernel_size" in vision,
    }


def _width(vision: Config) -> int:
    """Qwen2-VL's `hidden_size` is the decoder's; `embed_dim` is its own."""
    for field in ("vt_hidden_size", "embed_dim", "hidden_size", "width"):
        if vision.get(field):
            return int(vision[field])
    return _QWEN2_WIDTH


def _patches_per_token(config: Config, vision: Config) -> int:
    """Patches merged, pooled or shuffled into one token; 1 where no field says so."""
    for field in ("spatial_merge_size", "pooling_kernel_size"):
        if vision.get(field):
            return int(vision[field]) ** 2
    merged = vision.get("merge_kernel_size")
    if merged:
        return prod(map(int, merged if isinstance(merged, list) else (merged, merged)))
    shuffled = config.get("downsample_ratio") or vision.get("pixel_shuffle_ratio")
    if shuffled:
        return round(1 / float(shuffled)) ** 2
    if config.get("mm_tokens_per_image") and vision.get("image_size") and vision.get("patch_size"):
        patches = (int(vision["image_size"]) // int(vision["patch_size"])) ** 2
        return max(1, patches // int(config["mm_tokens_per_image"]))
    return 1
