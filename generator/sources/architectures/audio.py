"""Audio encoders beside a decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from generator.models.architecture import Tower
from generator.sources.architectures.towers import block, plain

if TYPE_CHECKING:
    from collections.abc import Mapping


def whisper_tower(config: Mapping[str, Any]) -> Tower:
    """Whisper's encoder: two convolutions, a table of positions, plain blocks (vLLM 0.32 whisper.py)."""
    hidden, kernel = int(config["d_model"]), 3
    names = ("layers.0.self_attn.qkv_proj", "layers.0.self_attn.out_proj", ("layers.0.mlp.fc1",), "layers.0.mlp.fc2")
    return Tower(
        name="model.encoder",
        count=int(config["encoder_layers"]),
        block=block(names, hidden, int(config["encoder_ffn_dim"])),
        outer=(
            plain("conv1", hidden, kernel * int(config["num_mel_bins"]), bias=True),
            plain("conv2", hidden, kernel * hidden, bias=True),
            plain("embed_positions", int(config["max_source_positions"]), hidden),
            plain("layer_norm", hidden, bias=True),
        ),
    )
