"""The shape of an encoder's forward pass, which vLLM profiles: widths, and patches that become one token."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from generator.sources.architectures.fields import Config


_SIDES = ("spatial_merge_size", "pooling_kernel_size", "hidden_stride")
_OUTER_SIDES = ("spatial_merge_size", "scale_factor", "downsample_factor", "spatial_conv_size")
"""Fields that name the side of a square of patches merged into one token, in the vision and in the outer config."""
_NO_TOKENS = 1 << 62
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
    """Patches merged, pooled, shuffled or resampled into one token; 1 where no field says so."""
    sides = [vision.get(name) for name in _SIDES] + [config.get(name) for name in _OUTER_SIDES]
    side = next((side for side in sides if isinstance(side, int) and side), None)
    if side:
        return side**2
    merged = vision.get("merge_kernel_size")
    if merged:
        return prod(map(int, merged if isinstance(merged, list) else (merged, merged)))
    shuffled = config.get("downsample_ratio") or vision.get("pixel_shuffle_ratio")
    if shuffled:
        return round(1 / float(shuffled)) ** 2
    return _patches(config, vision) // _tokens(config) or 1


def _patches(config: Config, vision: Config) -> int:
    """Patches of one image, 0 where config.json does not say its size; MiniCPM-V cuts images to its outer size."""
    size, patch = config.get("image_size") or vision.get("image_size"), vision.get("patch_size")
    return (int(size) // int(patch)) ** 2 if isinstance(size, int) and isinstance(patch, int) and patch else 0


def _tokens(config: Config) -> int:
    """Tokens of one image where the config fixes them, else as many as no image has patches."""
    named = config.get("mm_tokens_per_image") or config.get("query_num")
    return int(named) if named else _NO_TOKENS
