"""Towers of Gemma 3n and Gemma 4 that hear: a conformer, and Gemma 3n's convolutional eye (vLLM 0.32 gemma3n_mm.py)."""

from generator.errors import UnsupportedArchitectureError
from generator.models.architecture import Tower
from generator.models.matrix import Matrix
from generator.sources.architectures.fields import Config, integer
from generator.sources.architectures.towers import linear, plain

_MOBILENET_V5_PARAMETERS = 294_126_912
"""Of timm's mobilenetv5_300m_enc, every layer of which is whole on every rank."""


def _conformer(audio: Config, layers: int, kernel: int, heads: int, *outer: Matrix) -> Tower:
    hidden = integer(audio, "hidden_size")
    first, second = (int(size) for size in audio.get("subsampling_conv_channels") or _channels(audio))
    bands = integer(audio, "input_feat_size", default=128) // 4
    return Tower(
        name="audio_tower",
        count=layers,
        block=(
            plain("feed_forward", 16 * hidden, hidden),
            plain("self_attn", 5 * hidden, hidden),
            plain("lconv1d", 3 * hidden, hidden),
            plain("lconv1d.depthwise_conv1d", hidden, kernel),
            plain("norms", 9 * hidden + hidden // heads),
        ),
        outer=(
            plain("subsample_conv_projection.conv_0", first, 10),
            plain("subsample_conv_projection.conv_1", second, 9 * first + 1),
            plain("subsample_conv_projection.input_proj_linear", hidden, second * bands),
            *outer,
        ),
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
