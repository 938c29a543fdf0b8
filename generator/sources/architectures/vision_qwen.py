"""Vision towers of Qwen's line and of GLM-4V, which follows it (vLLM 0.32 model_executor/models)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from generator.models.architecture import Tower
from generator.sources.architectures.towers import block, linear, plain, tower_of

if TYPE_CHECKING:
    from generator.sources.architectures.fields import Config


def qwen3_tower(vision: Config, text: Config) -> Tower:
    """Qwen3-VL and Qwen3.5: a merger, and one more for each layer that feeds the decoder early (qwen3_vl.py)."""
    hidden, inner = int(vision["hidden_size"]), int(vision["intermediate_size"])
    merged = hidden * int(vision.get("spatial_merge_size") or 2) ** 2
    out = int(vision.get("out_hidden_size") or text["hidden_size"])
    taps = vision.get("deepstack_visual_indexes")
    count = 3 if taps is None else len(taps)
    names = ("blocks.0.attn.qkv", "blocks.0.attn.proj", ("blocks.0.mlp.linear_fc1",), "blocks.0.mlp.linear_fc2")
    patch = 3 * int(vision.get("temporal_patch_size") or 2) * int(vision["patch_size"]) ** 2
    return Tower(
        name="visual",
        count=int(vision["depth"]),
        block=block(names, hidden, inner),
        outer=(
            plain("patch_embed.proj", hidden, patch, bias=True),
            plain("pos_embed", int(vision.get("num_position_embeddings") or 2304), hidden),
            plain("merger.norm", hidden, bias=True),
            *(
                matrix.model_copy(update={"copies": 1 + count})
                for matrix in (
                    linear("merger.linear_fc1", merged, merged, "column"),
                    linear("merger.linear_fc2", out, merged, "row"),
                )
            ),
            plain("deepstack_merger_list.norm", merged, bias=True, copies=count),
        ),
        early_outputs=count,
    )


def qwen3_5_tower(vision: Config, text: Config) -> Tower:
    """Qwen3.5: no layer feeds the decoder early unless the config says so (qwen3_5.py)."""
    return qwen3_tower({**vision, "deepstack_visual_indexes": vision.get("deepstack_visual_indexes") or ()}, text)


def qwen2_tower(vision: Config, text: Config) -> Tower:
    """Qwen2-VL: `embed_dim` channels, a plain network of `mlp_ratio` (qwen2_vl.py)."""
    hidden = int(vision.get("embed_dim") or 1280)
    inner = int(hidden * float(vision.get("mlp_ratio") or 4))
    names = ("blocks.0.attn.qkv", "blocks.0.attn.proj", ("blocks.0.mlp.fc1",), "blocks.0.mlp.fc2")
    blocks = block(names, hidden, inner)
    return _qwen_merged(vision, hidden, int(text["hidden_size"]), blocks, norm_bias=True)


def qwen2_5_tower(vision: Config, text: Config) -> Tower:
    """Qwen2.5-VL: RMS norms and a gated network (qwen2_5_vl.py)."""
    hidden = int(vision.get("hidden_size") or 3584)
    firsts = ("blocks.0.mlp.gate_proj", "blocks.0.mlp.up_proj")
    names = ("blocks.0.attn.qkv", "blocks.0.attn.proj", firsts, "blocks.0.mlp.down_proj")
    blocks = block(names, hidden, int(vision.get("intermediate_size") or 3420), norm_bias=False)
    out = int(vision.get("out_hidden_size") or text["hidden_size"])
    return _qwen_merged(vision, hidden, out, blocks, norm_bias=False)


def _qwen_merged(vision: Config, hidden: int, out: int, blocks: tuple[Any, ...], *, norm_bias: bool) -> Tower:
    merged = hidden * int(vision.get("spatial_merge_size") or 2) ** 2
    patch = 3 * int(vision.get("temporal_patch_size") or 2) * int(vision.get("patch_size") or 14) ** 2
    return tower_of(
        "visual",
        int(vision.get("depth") or 32),
        blocks,
        plain("patch_embed.proj", hidden, patch),
        plain("merger.ln_q", hidden, bias=norm_bias),
        linear("merger.mlp.0", merged, merged, "column"),
        linear("merger.mlp.2", out, merged, "row"),
    )


def glm4v_tower(vision: Config, text: Config) -> Tower:
    """GLM-4V: blocks as wide inside as the decoder, a gated merger (vLLM 0.32 glm4_1v.py)."""
    hidden, out = int(vision["hidden_size"]), int(vision.get("out_hidden_size") or text["hidden_size"])
    merger, patch = int(vision["intermediate_size"]), int(vision.get("patch_size") or 14)
    side = int(vision.get("spatial_merge_size") or 2)
    firsts = ("blocks.0.mlp.gate_proj", "blocks.0.mlp.up_proj")
    names = ("blocks.0.attn.qkv", "blocks.0.attn.proj", firsts, "blocks.0.mlp.down_proj")
    return tower_of(
        "visual",
        int(vision["depth"]),
        block(names, hidden, out, bias=False, norm_bias=False),
        plain("patch_embed.proj", hidden, 3 * int(vision.get("temporal_patch_size") or 2) * patch**2, bias=True),
        plain("position_embedding", (int(vision["image_size"]) // patch) ** 2, hidden),
        plain("norms", hidden, copies=2),
        plain("downsample", out, hidden * side**2, bias=True),
        linear("merger.proj", out, out, "column", bias=False),
        plain("merger.post_projection_norm", out, bias=True),
        linear("merger.gate_proj", merger, out, "column", bias=False),
        linear("merger.up_proj", merger, out, "column", bias=False),
        linear("merger.down_proj", out, merger, "row", bias=False),
    )
