"""Vision towers that follow Qwen's with changes of their own: GLM-OCR, EXAONE 4.5, dots.ocr (vLLM 0.32)."""

from generator.models.architecture import Tower
from generator.sources.architectures.fields import Config, integer
from generator.sources.architectures.towers import block, linear, plain, tower_of


def glm_ocr_tower(vision: Config, text: Config) -> Tower:
    """GLM-OCR: gated blocks with norms of queries and keys, a gated merger (glm_ocr.py)."""
    hidden, inner = integer(vision, "hidden_size"), integer(vision, "intermediate_size")
    out = integer(vision, "out_hidden_size", default=integer(text, "hidden_size"))
    patch = 3 * integer(vision, "temporal_patch_size", default=2) * integer(vision, "patch_size") ** 2
    firsts = ("blocks.0.mlp.gate_proj", "blocks.0.mlp.up_proj")
    names = ("blocks.0.attn.qkv", "blocks.0.attn.proj", firsts, "blocks.0.mlp.down_proj")
    head = hidden // integer(vision, "num_heads")
    return tower_of(
        "visual",
        integer(vision, "depth"),
        (
            *block(names, hidden, inner, bias=bool(vision.get("attention_bias")), norm_bias=False),
            plain("attn.norms", head, copies=2),
        ),
        plain("patch_embed.proj", hidden, patch, bias=True),
        linear("merger.proj", out, out, "column", bias=False),
        plain("merger.post_projection_norm", out, bias=True),
        linear("merger.gate_up_proj", 2 * inner, out, "column", bias=False),
        linear("merger.down_proj", out, inner, "row", bias=False),
        plain("downsample", out, hidden * integer(vision, "spatial_merge_size", default=2) ** 2, bias=True),
        plain("post_layernorm", hidden),
    )


def exaone_tower(vision: Config, text: Config) -> Tower:
    """EXAONE 4.5: Qwen2.5's blocks with fewer key heads (exaone4_5.py)."""
    hidden, heads = integer(vision, "hidden_size"), integer(vision, "num_heads")
    groups = integer(vision, "num_key_value_heads", default=heads)
    inner = integer(vision, "intermediate_size")
    merged = hidden * integer(vision, "spatial_merge_size", default=2) ** 2
    patch = 3 * integer(vision, "temporal_patch_size", default=2) * integer(vision, "patch_size") ** 2
    out = integer(vision, "out_hidden_size", default=integer(text, "hidden_size"))
    return tower_of(
        "visual",
        integer(vision, "depth"),
        (
            linear("blocks.0.attn.qkv", hidden + 2 * groups * (hidden // heads), hidden, "column"),
            linear("blocks.0.attn.proj", hidden, hidden, "row"),
            linear("blocks.0.mlp.gate_up_proj", 2 * inner, hidden, "column"),
            linear("blocks.0.mlp.down_proj", hidden, inner, "row"),
            plain("norms", hidden, copies=2),
        ),
        plain("patch_embed.proj", hidden, patch),
        plain("merger.ln_q", hidden),
        linear("merger.mlp.0", merged, merged, "column"),
        linear("merger.mlp.2", out, merged, "row"),
    )


def dots_tower(vision: Config, text: Config) -> Tower:
    """dots.ocr: gated blocks, norms around them, Qwen's merger (dots_ocr.py)."""
    hidden, inner = integer(vision, "embed_dim"), integer(vision, "intermediate_size")
    merged = hidden * integer(vision, "spatial_merge_size", default=2) ** 2
    patch = 3 * integer(vision, "temporal_patch_size", default=1) * integer(vision, "patch_size") ** 2
    names = ("blocks.0.attn.qkv", "blocks.0.attn.proj", ("blocks.0.mlp.fc1", "blocks.0.mlp.fc3"), "blocks.0.mlp.fc2")
    out = integer(vision, "hidden_size", default=integer(text, "hidden_size"))
    return tower_of(
        "vision_tower",
        integer(vision, "num_hidden_layers"),
        block(names, hidden, inner, bias=bool(vision.get("use_bias")), norm_bias=False),
        plain("patch_embed.patchifier.proj", hidden, patch, bias=True),
        plain("norms", hidden, copies=2 if vision.get("post_norm", True) else 1),
        plain("merger.ln_q", hidden, bias=True),
        linear("merger.mlp.0", merged, merged, "column"),
        linear("merger.mlp.2", out, merged, "row"),
    )
