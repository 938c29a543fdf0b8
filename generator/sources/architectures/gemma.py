"""Gemma 3n and Gemma 4: decoders with an input for each layer, towers that hear and see (vLLM 0.32 gemma3n_mm.py)."""

from generator.errors import UnsupportedArchitectureError
from generator.models.architecture import Layer, Tower
from generator.models.attention import Mixers
from generator.models.matrix import Matrix
from generator.sources.architectures.blocks import dense, layer_count
from generator.sources.architectures.decoder import Decoder, stack
from generator.sources.architectures.fields import Config, integer
from generator.sources.architectures.moe import gemma4_decoder
from generator.sources.architectures.towers import linear, plain, tower_of


def layered_gemma4_decoder(text: Config, found: Mixers) -> Decoder:
    """Gemma 4; layers that read an earlier layer's cache may have networks twice as wide (gemma4.py)."""
    decoder = gemma4_decoder(text, found)
    shared = int(text.get("num_kv_shared_layers") or 0)
    layers = decoder.layers
    if text.get("use_double_wide_mlp") and shared:
        wide = dense({**text, "intermediate_size": 2 * int(text["intermediate_size"])})
        layers = (
            *layers[:-shared],
            *(layer.model_copy(update={"feed_forward": wide}) for layer in layers[-shared:]),
        )
    if not text.get("hidden_size_per_layer_input"):
        return decoder._replace(layers=layers)
    return decoder._replace(layers=_with_inputs(text, layers), extra=_input_tables(text))


def gemma3n_decoder(text: Config, found: Mixers) -> Decoder:
    """Gemma 3n: several residual streams, a low-rank path beside each block (gemma3n.py)."""
    filled = {"hidden_size_per_layer_input": 256, "laurel_rank": 64, "altup_num_inputs": 4, **text}
    hidden, rank, streams = (integer(filled, key) for key in ("hidden_size", "laurel_rank", "altup_num_inputs"))
    plain = stack(found, (dense(filled),) * layer_count(filled), norms=7)
    small = streams * streams * (1 + streams) + streams * hidden
    extra = (
        Matrix(name="laurel.linear_left", rows=rank, columns=hidden, shard="column", part="dense"),
        Matrix(name="laurel.linear_right", rows=hidden, columns=rank, shard="row", part="dense"),
        Matrix(name="altup", rows=small, part="other", linear=False),
    )
    layers = tuple(layer.model_copy(update={"extra": extra}) for layer in plain)
    projections = Matrix(
        name="altup_projections", rows=hidden, columns=hidden, shard="column", part="other", copies=2 * (streams - 1),
        linear=False,
    )  # fmt: skip
    return Decoder(layers=_with_inputs(filled, layers), extra=(*_input_tables(filled), projections), tied=True)


def _with_inputs(text: Config, layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """The layers with the gate and the projection of their own input, and a norm behind them."""
    hidden, width = integer(text, "hidden_size"), integer(text, "hidden_size_per_layer_input")
    extra = (
        Matrix(name="per_layer_input_gate", rows=width, columns=hidden, part="dense"),
        Matrix(name="per_layer_projection", rows=hidden, columns=width, part="dense"),
    )
    return tuple(
        layer.model_copy(update={"norms": layer.norms + 1, "extra": (*layer.extra, *extra)}) for layer in layers
    )


def _input_tables(text: Config) -> tuple[Matrix, ...]:
    """An embedding table of all layers' inputs, and the projection of the token's own embedding to them."""
    width = integer(text, "hidden_size_per_layer_input")
    vocab = integer(text, "vocab_size_per_layer_input", default=262144)
    columns = width * layer_count(text)
    return (
        Matrix(
            name="embed_tokens_per_layer", rows=vocab, columns=columns, shard="vocab", part="embed", linear=False
        ),
        Matrix(
            name="per_layer_model_projection", rows=columns, columns=integer(text, "hidden_size"), shard="column",
            part="dense",
        ),
        Matrix(name="per_layer_projection_norm", rows=width, part="other", linear=False),
    )  # fmt: skip


_MOBILENET_V5_PARAMETERS = 294_126_912
"""Of timm's mobilenetv5_300m_enc, every layer of which is whole on every rank."""


def _conformer(audio: Config, layers: int, kernel: int, heads: int, *outer: Matrix) -> Tower:
    hidden = integer(audio, "hidden_size")
    first, second = (int(size) for size in audio.get("subsampling_conv_channels") or _channels(audio))
    bands = integer(audio, "input_feat_size", default=128) // 4
    return tower_of(
        "audio_tower",
        layers,
        (
            plain("feed_forward", 16 * hidden, hidden),
            plain("self_attn", 5 * hidden, hidden),
            plain("lconv1d", 3 * hidden, hidden),
            plain("lconv1d.depthwise_conv1d", hidden, kernel),
            plain("norms", 9 * hidden + hidden // heads),
        ),
        plain("subsample_conv_projection.conv_0", first, 10),
        plain("subsample_conv_projection.conv_1", second, 9 * first + 1),
        plain("subsample_conv_projection.input_proj_linear", hidden, second * bands),
        *outer,
    )


def _channels(audio: Config) -> tuple[int, int]:
    named = audio.get("sscp_conv_channel_size") or (128, 32)
    return named[0], named[1]


def gemma4_audio_tower(_config: Config, audio: Config, text: Config) -> Tower:
    """Gemma 4's conformer, whole on every rank (gemma4_mm.py)."""
    out = integer(audio, "output_proj_dims", default=1536)
    layers, heads = integer(audio, "num_hidden_layers", default=12), integer(audio, "num_attention_heads", default=8)
    return _conformer(
        {"hidden_size": 1024, **audio}, layers, integer(audio, "conv_kernel_size", default=5), heads,
        plain("output_proj", out, integer(audio, "hidden_size", default=1024), bias=True),
        plain("embed_audio.embedding_projection", integer(text, "hidden_size"), out),
    )  # fmt: skip


def gemma3n_audio_tower(_config: Config, audio: Config, text: Config) -> Tower:
    """Gemma 3n's conformer (gemma3n_mm.py)."""
    filled = {"hidden_size": 1536, **audio}
    layers = integer(audio, "conf_num_hidden_layers", default=12)
    heads = integer(audio, "conf_num_attention_heads", default=8)
    kernel = integer(audio, "conf_conv_kernel_size", default=5)
    return _conformer(filled, layers, kernel, heads, *_embedder("embed_audio", filled, text))


def _embedder(name: str, part: Config, text: Config) -> tuple[Matrix, ...]:
    """Tokens of the modality's own, and the split projection to the decoder."""
    hidden = integer(part, "hidden_size")
    rows = integer(part, "vocab_size", default=128)
    return (
        Matrix(name=f"{name}.embedding", rows=rows, columns=hidden, shard="vocab", part="vision", linear=False),
        plain(f"{name}.norms", hidden, copies=2),
        linear(f"{name}.embedding_projection", integer(text, "hidden_size"), hidden, "row", bias=False),
    )


def gemma3n_tower(vision: Config, text: Config) -> Tower:
    """Gemma 3n's convolutional tower.

    Raises:
        UnsupportedArchitectureError: the config names another of timm's models.
    """
    named = str(vision.get("architecture") or "mobilenetv5_300m_enc")
    if named != "mobilenetv5_300m_enc":
        raise UnsupportedArchitectureError(
            f"vision_config names timm's {named!r}; known is mobilenetv5_300m_enc, another needs its parameters counted"
        )
    parameters = plain("timm_model", _MOBILENET_V5_PARAMETERS)
    return Tower(
        name="vision_tower", outer=(parameters, *_embedder("embed_vision", {"hidden_size": 2048, **vision}, text))
    )
