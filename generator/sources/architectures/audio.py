"""Audio encoders beside a decoder, each with the projector that leads to it (vLLM 0.32 model_executor/models)."""

from generator.models.architecture import Tower
from generator.models.matrix import Matrix
from generator.sources.architectures.fields import Config, integer
from generator.sources.architectures.towers import block, headed, linear, plain, tower_of


def whisper_towers(config: Config, _: Config) -> tuple[Tower, ...]:
    """Whisper's encoder: two convolutions, a table of positions, plain blocks (whisper.py)."""
    return (headed(_whisper("model.encoder", config), config),)


def _whisper(name: str, audio: Config, *projector: Matrix, split: bool = True, positions: bool = True) -> Tower:
    """An encoder of Whisper's kind; Transformers' own modules (`split` False) stay whole on every rank."""
    hidden, kernel = _width(audio), 3
    inner = integer(audio, "encoder_ffn_dim", "intermediate_size")
    names = ("layers.0.self_attn.qkv_proj", "layers.0.self_attn.out_proj", ("layers.0.mlp.fc1",), "layers.0.mlp.fc2")
    blocks = block(names, hidden, inner)
    if not split:
        blocks = (
            plain("layers.0.self_attn", 4 * hidden, hidden),
            plain("layers.0.self_attn.biases", 3 * hidden),
            plain("layers.0.fc1", inner, hidden, bias=True),
            plain("layers.0.fc2", hidden, inner, bias=True),
            plain("layers.0.norms", hidden, bias=True, copies=2),
        )
    length = integer(audio, "max_source_positions", default=1500)
    return tower_of(
        name,
        integer(audio, "encoder_layers", "num_hidden_layers"),
        blocks,
        plain("conv1", hidden, kernel * integer(audio, "num_mel_bins", default=128), bias=True),
        plain("conv2", hidden, kernel * hidden, bias=True),
        *((plain("embed_positions", length, hidden),) if positions else ()),
        plain("layer_norm", hidden, bias=True),
        *projector,
    )


def _width(audio: Config) -> int:
    return integer(audio, "d_model", "hidden_size")


def qwen2_audio_tower(_config: Config, audio: Config, text: Config) -> Tower:
    """Qwen2-Audio: one whole matrix (qwen2_audio.py)."""
    projector = plain("multi_modal_projector.linear", integer(text, "hidden_size"), _width(audio), bias=True)
    return _whisper("audio_tower", audio, projector, split=False)


def flamingo_tower(_config: Config, audio: Config, text: Config) -> Tower:
    """Audio Flamingo 3: two whole matrices (audioflamingo3.py)."""
    out = integer(text, "hidden_size")
    return _whisper(
        "audio_tower", audio,
        plain("multi_modal_projector.linear_1", out, _width(audio), bias=True),
        plain("multi_modal_projector.linear_2", out, out, bias=True),
        split=False,
    )  # fmt: skip


def omni_tower(_config: Config, audio: Config, text: Config) -> Tower:
    """Qwen2.5-Omni: one matrix and two marks (qwen2_5_omni_thinker.py)."""
    out = integer(audio, "output_dim", default=integer(text, "hidden_size"))
    return _whisper(
        "audio_tower", audio,
        plain("proj", out, _width(audio), bias=True), plain("audio_bos_eos_token", 2, out),
        split=False,
    )  # fmt: skip


def minicpmo_tower(_config: Config, audio: Config, text: Config) -> Tower:
    """MiniCPM-o: two whole matrices behind pooled frames (minicpmo.py)."""
    out = integer(text, "hidden_size")
    return _whisper(
        "apm", audio,
        plain("audio_projection_layer.linear1", out, integer(audio, "encoder_ffn_dim") // 4, bias=True),
        plain("audio_projection_layer.linear2", out, out, bias=True),
        split=False,
    )  # fmt: skip


def ultravox_tower(config: Config, audio: Config, text: Config) -> Tower:
    """Ultravox: stacked frames through a gated network, whole on every rank (ultravox.py)."""
    stacked = _width(audio) * integer(config, "stack_factor", default=8)
    inner = integer(config, "hidden_size", default=4096)
    half = inner // 2 if config.get("projector_act", "swiglu") == "swiglu" else inner
    out = integer(text, "hidden_size")
    return _whisper(
        "audio_tower", audio,
        plain("multi_modal_projector.norms", stacked + (half if config.get("projector_ln_mid") else out)),
        plain("multi_modal_projector.linear_1", inner, stacked),
        plain("multi_modal_projector.linear_2", out, half),
    )  # fmt: skip


def glm_asr_tower(_config: Config, audio: Config, text: Config) -> Tower:
    """GLM-ASR: rotated positions, two split matrices (glmasr.py)."""
    out = integer(text, "hidden_size")
    return _whisper(
        "audio_tower", audio,
        linear("multi_modal_projector.linear_1", 2 * out, integer(audio, "intermediate_size"), "column"),
        linear("multi_modal_projector.linear_2", out, 2 * out, "row"),
        positions=False,
    )  # fmt: skip


def moss_tower(_config: Config, audio: Config, text: Config) -> Tower:
    """MOSS-Transcribe: four frames joined through two whole matrices (moss_transcribe_diarize.py)."""
    out = integer(text, "hidden_size")
    return _whisper(
        "whisper_encoder", audio,
        plain("vq_adaptor.layers.0", out, 4 * _width(audio), bias=True),
        plain("vq_adaptor.layers.2", out, out, bias=True),
        plain("vq_adaptor.layers.3", out, bias=True),
    )  # fmt: skip


def voxtral_tower(_config: Config, audio: Config, text: Config) -> Tower:
    """Voxtral: four frames joined through two matrices without biases (voxtral.py)."""
    out = integer(text, "hidden_size")
    joined = _width(audio) * integer(audio, "downsample_factor", default=4)
    return _whisper(
        "whisper_encoder", audio,
        linear("audio_language_adapter.w_in", out, joined, bias=False),
        linear("audio_language_adapter.w_out", out, out, bias=False),
    )  # fmt: skip


def qwen3_audio_tower(_config: Config, audio: Config, text: Config) -> Tower:
    """Qwen3-Omni and Qwen3-ASR: three strided convolutions over the mel bands (qwen3_omni_moe_thinker.py)."""
    hidden, inner = integer(audio, "d_model"), integer(audio, "encoder_ffn_dim")
    channels, bands = integer(audio, "downsample_hidden_size", default=480), integer(audio, "num_mel_bins", default=128)
    for _ in range(3):
        bands = (bands + 1) // 2
    names = ("layers.0.self_attn.qkv_proj", "layers.0.self_attn.out_proj", ("layers.0.fc1",), "layers.0.fc2")
    out = integer(audio, "output_dim", default=integer(text, "hidden_size"))
    return tower_of(
        "audio_tower",
        integer(audio, "encoder_layers"),
        block(names, hidden, inner, heads=integer(audio, "encoder_attention_heads")),
        plain("conv2d1", channels, 9, bias=True),
        plain("conv2d", channels, 9 * channels, bias=True, copies=2),
        plain("conv_out", hidden, channels * bands),
        plain("ln_post", hidden, bias=True),
        plain("proj1", hidden, hidden, bias=True),
        plain("proj2", out, hidden, bias=True),
    )


def generic_audio_tower(_config: Config, audio: Config, text: Config) -> Tower:
    """A speech encoder by standard field names, whole on every rank, with one matrix behind it."""
    hidden = integer(audio, "d_model", "hidden_size", "encoder_dim", "output_size")
    inner = integer(audio, "encoder_ffn_dim", "intermediate_size", default=4 * hidden)
    return tower_of(
        "audio_tower",
        integer(audio, "encoder_layers", "num_hidden_layers", "n_layers", "num_layers", "depth"),
        (
            plain("layers.0.self_attn", 4 * hidden, hidden, bias=True),
            plain("layers.0.fc1", inner, hidden, bias=True),
            plain("layers.0.fc2", hidden, inner, bias=True),
        ),
        plain("projector", integer(text, "hidden_size"), hidden, bias=True),
    )
