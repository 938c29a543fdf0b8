"""Muse Glimmer's tower: attention split over the ranks, networks whole on each (vLLM 0.32 muse_glimmer.py)."""

from __future__ import annotations

from generator.models.architecture import Tower
from generator.sources.architectures.fields import Config, integer
from generator.sources.architectures.towers import linear, plain


def muse_tower(vision: Config, text: Config) -> Tower:
    """Blocks over patches of two frames, merged patches through an adapter, one matrix to the decoder."""
    hidden, inner = integer(vision, "hidden_size"), integer(vision, "intermediate_size")
    patch = 3 * integer(vision, "patch_temporal", default=2) * integer(vision, "patch_size", default=14) ** 2
    positions = integer(vision, "pos_emb_height", default=32) * integer(vision, "pos_emb_width", default=32)
    merged = hidden * integer(vision, "merge_kernel_size", default=2) ** 2
    adapter = integer(vision, "adapter_dim", default=4096)
    name = "transformer.0"
    return Tower(
        name="vision_encoder",
        count=integer(vision, "num_hidden_layers"),
        block=(
            linear(f"{name}.attn.qkv_proj", 3 * hidden, hidden, "column"),
            linear(f"{name}.attn.o_proj", hidden, hidden, "row"),
            plain(f"{name}.mlp.c_fc", inner, hidden, bias=True),
            plain(f"{name}.mlp.c_proj", hidden, inner, bias=True),
            plain("norms", hidden, bias=True, copies=2),
        ),
        outer=(
            plain("positional_embedding", positions, hidden),
            plain("conv1_linear", hidden, patch),
            plain("norms", hidden, bias=True, copies=2),
            plain("vision_adapter.c_fc", adapter, merged),
            plain("vision_adapter.c_proj", adapter, adapter),
            plain("vision_projection", integer(text, "hidden_size"), adapter),
        ),
    )
