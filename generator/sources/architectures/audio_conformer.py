"""Conformers beside a decoder: Granite Speech with its query transformer, Phi-4-multimodal's encoder."""

from generator.models.architecture import Tower
from generator.models.matrix import Matrix
from generator.sources.architectures.fields import Config, integer
from generator.sources.architectures.towers import linear, plain, siglip_encoder, tower_of
from generator.units import ceil_div

_SIGLIP_448 = {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "image_size": 448,
               "patch_size": 14}  # fmt: skip
"""SigLIP so400m at 448 pixels, which Phi-4-multimodal's class fixes; it runs all blocks but the last."""


def granite_towers(config: Config, text: Config) -> tuple[Tower, ...]:
    """Granite Speech: a conformer whose networks are split, and queries that attend to it (granite_speech.py)."""
    audio, query = config["encoder_config"], config["projector_config"]
    encoder = tower_of("encoder", integer(audio, "num_layers"), _granite_block(audio), *_granite_outer(audio))
    return encoder, _query_tower(query, integer(text, "hidden_size"))


def _granite_block(audio: Config) -> tuple[Matrix, ...]:
    hidden = integer(audio, "hidden_dim")
    inner, wide = hidden * integer(audio, "feedforward_mult"), hidden * integer(audio, "conv_expansion_factor")
    heads = integer(audio, "num_heads") * integer(audio, "dim_head")
    return (
        linear("ff1.up_proj", inner, hidden, "column"), linear("ff1.down_proj", hidden, inner, "row"),
        linear("ff2.up_proj", inner, hidden, "column"), linear("ff2.down_proj", hidden, inner, "row"),
        plain("attn.to_qkv", 3 * heads, hidden), plain("attn.to_out", hidden, heads, bias=True),
        plain("attn.rel_pos_emb", 2 * integer(audio, "max_pos_emb") + 1, integer(audio, "dim_head")),
        plain("conv.up_conv", 2 * wide, hidden, bias=True),
        plain("conv.depth_conv", wide, integer(audio, "conv_kernel_size")),
        plain("conv.batch_norm", wide, bias=True),
        plain("conv.down_conv", hidden, wide, bias=True),
        plain("norms", hidden, bias=True, copies=5),
    )  # fmt: skip


def _granite_outer(audio: Config) -> tuple[Matrix, ...]:
    hidden, out = integer(audio, "hidden_dim"), integer(audio, "output_dim")
    return (
        plain("input_linear", hidden, integer(audio, "input_dim"), bias=True),
        linear("out", out, hidden, "column"),
        linear("out_mid", hidden, out, "row"),
    )


def _query_tower(query: Config, out: int) -> Tower:
    """A query transformer, whole on every rank; every so many layers it attends to the encoder (blip2.py)."""
    hidden, inner = integer(query, "hidden_size"), integer(query, "intermediate_size")
    count, step = integer(query, "num_hidden_layers"), integer(query, "cross_attention_frequency")
    crossed = ceil_div(count, step)
    return tower_of(
        "projector",
        count,
        (
            plain("attention", 4 * hidden, hidden, bias=True),
            plain("intermediate_query", inner, hidden, bias=True),
            plain("output_query", hidden, inner, bias=True),
            plain("norms", hidden, bias=True, copies=2),
        ),
        plain("crossattention.query", 2 * hidden, hidden, bias=True, copies=crossed),
        plain("crossattention.key", 2 * hidden, integer(query, "encoder_hidden_size"), bias=True, copies=crossed),
        plain("crossattention.norm", hidden, bias=True, copies=crossed),
        plain("layernorm", hidden, bias=True),
        plain("linear", out, hidden, bias=True),
    )


def phi4_towers(config: Config, text: Config) -> tuple[Tower, ...]:
    """Phi-4-multimodal: SigLIP and a conformer with a projector for speech and one for video (phi4mm.py)."""
    out = integer(text, "hidden_size")
    encoder = siglip_encoder(_SIGLIP_448, 26, post_norm=False)
    vision = encoder.tower(
        "vision_encoder",
        plain("separators", encoder.width, copies=2),
        plain("img_projection.0", out, encoder.width, bias=True),
        plain("img_projection.2", out, out, bias=True),
    )
    return vision, _phi4_speech(config["audio_processor"]["config"], out)


def _phi4_speech(audio: Config, out: int) -> Tower:
    hidden, inner = integer(audio, "attention_dim"), integer(audio, "linear_units")
    reduced = hidden * integer(audio, "input_size") // integer(audio, "time_reduction")
    return tower_of(
        "embed_tokens_extend",
        integer(audio, "num_blocks"),
        (
            plain("feed_forward.up", 2 * inner, hidden, bias=True, copies=2),
            plain("feed_forward.down", hidden, inner, bias=True, copies=2),
            plain("self_attn", 4 * hidden, hidden, bias=True),
            plain("conv.glu", 2 * hidden, hidden + 1, bias=True),
            plain("conv.pointwise", hidden, hidden, bias=True, copies=2),
            plain("conv.depthwise", hidden, integer(audio, "kernel_size"), bias=True),
            plain("norms", hidden, bias=True, copies=5),
        ),
        plain("embed.out", hidden, reduced, bias=True),
        plain("embed.conv.depthwise", hidden, 9, bias=True, copies=3),
        plain("embed.conv.pointwise", hidden, hidden, bias=True, copies=2),
        plain("relative_attention_bias", 2 * _distance(audio), integer(audio, "attention_heads")),
        plain("audio_projection.0", out, hidden, bias=True, copies=2),
        plain("audio_projection.2", out, out, bias=True, copies=2),
    )


def _distance(audio: Config) -> int:
    return integer(audio.get("relative_attention_bias_args") or {}, "t5_bias_max_distance", default=500)
