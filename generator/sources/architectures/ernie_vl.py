"""ERNIE 4.5 VL: experts for tokens of images, and the tower (vLLM 0.32 ernie45_vl_moe.py, ernie45_vl.py)."""

from typing import Any

from generator.models.architecture import Tower
from generator.models.attention import Mixers
from generator.models.dtype import DType
from generator.models.feed_forward import MoE
from generator.models.matrix import Matrix
from generator.sources.architectures.blocks import MixtureTraits, feed_forwards
from generator.sources.architectures.decoder import Decoder, stack
from generator.sources.architectures.fields import Config, integer
from generator.sources.architectures.towers import block, linear, plain, tower_of

_TRAITS = MixtureTraits(correction_bias=True, router_dtype=DType.F32)


def ernie_vl_decoder(text: Config, found: Mixers) -> Decoder:
    """Layers whose experts come in two sets, the first for text; lists in the config hold a number for each."""
    first = {key: _first(value) for key, value in text.items() if key.startswith("moe_")}
    known = {**text, **first, "model_type": "ernie4_5_moe"}
    blocks = feed_forwards(known, _TRAITS, bias=bool(text.get("use_bias")))
    layers = tuple(
        layer.model_copy(update={"extra": _seeing(text)}) if isinstance(layer.feed_forward, MoE) else layer
        for layer in stack(found, blocks)
    )
    return Decoder(layers=layers, tied=True)


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


def _seeing(text: Config) -> tuple[Matrix, ...]:
    """The experts for tokens of images, with a router of their own."""
    hidden, name = integer(text, "hidden_size"), "mlp.vision_experts"
    count, inner = int(text["moe_num_experts"][-1]), int(text["moe_intermediate_size"][-1])
    return (
        *(
            Matrix(name=f"{name}.{one}", rows=inner, columns=hidden, shard="column", part="experts", experts=count)
            for one in ("gate_proj", "up_proj")
        ),
        Matrix(name=f"{name}.down_proj", rows=hidden, columns=inner, shard="row", part="experts", experts=count),
        Matrix(name="mlp.vision_gate", rows=count, columns=hidden + 1, dtype=DType.F32, part="other", linear=False),
    )


def ernie_vl_towers(config: Config, vision: Config, text: Config) -> tuple[Tower, ...]:
    """Plain blocks, then a resampler over space and time whose every matrix is split by rows."""
    hidden, out = integer(vision, "embed_dim", "hidden_size"), integer(text, "hidden_size")
    inner = int(hidden * float(vision.get("mlp_ratio") or 4))
    merged = hidden * integer(config, "spatial_conv_size", default=2) ** 2
    names = ("blocks.0.attn.qkv", "blocks.0.attn.proj", ("blocks.0.mlp.fc1",), "blocks.0.mlp.fc2")
    times = integer(config, "temporal_conv_size", default=2)
    temporal = (
        linear("resampler_model.temporal_linear1", merged, times * merged, "column"),
        linear("resampler_model.temporal_linear2", merged, merged, "column"),
        plain("resampler_model.temporal_norm", merged, bias=True),
    )
    return (
        tower_of(
            "vision_model",
            integer(vision, "depth"),
            block(names, hidden, inner),
            plain("patch_embed.proj", hidden, 3 * integer(vision, "patch_size") ** 2),
            plain("ln", hidden, bias=True),
            linear("resampler_model.spatial_linear1", merged, merged, "column"),
            linear("resampler_model.spatial_linear2", merged, merged, "column"),
            plain("resampler_model.spatial_norm", merged, bias=True),
            *(temporal if config.get("use_temporal_conv", True) else ()),
            linear("resampler_model.mlp", out, merged, "column"),
            plain("resampler_model.after_norm", out),
        ),
    )
