"""From layers to an Architecture: equal layers share a kind, and everything outside them is added."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import NamedTuple

from generator.errors import UnsupportedArchitectureError
from generator.models.architecture import Architecture, Layer, Tower
from generator.models.attention import Mixer, Mixers
from generator.models.feed_forward import FeedForward
from generator.models.matrix import Matrix
from generator.sources.architectures.fields import (
    Config,
    dtype,
    first,
    integer,
    max_length,
    stated_lengths,
    text_config,
)
from generator.sources.architectures.heads import pooling_heads
from generator.sources.architectures.rotary import Rotary, is_multi_axis, rotary_bytes

HEADLESS = ("Model", "ForSequenceClassification", "ForTokenClassification", "RewardModel")
"""Ends of the names of classes that compute no logits: vLLM builds them without a head."""

GENERATIVE = frozenset({
    "InternVLChatModel", "H2OVLChatModel", "SkyworkR1VChatModel", "NVLM_D_Model", "UltravoxModel", "MiDashengLMModel",
    "MossAudioModel", "Qwen2_5OmniModel", "ChatGLMModel",
})  # fmt: skip
"""Multimodal classes that end so and yet generate text (vLLM 0.32 model_executor/models/registry.py)."""


_POSITIVE = (
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "num_heads",
    "state_size",
    "intermediate_size",
    "n_groups",
)
"""Sizes of a mixer that cannot be nothing."""


class Decoder(NamedTuple):
    """What a family's reader finds: the layers, and the family's own ways outside them."""

    layers: tuple[Layer, ...]
    drafts: tuple[Layer, ...] = ()
    extra: tuple[Matrix, ...] = ()
    shared: tuple[Matrix, ...] = ()
    tied: bool = False
    """Whether the head is tied where config.json does not say."""
    norm_bias: bool = False
    lm_head: bool = True
    lm_head_bias: bool = False
    embed_whole: bool = False
    layers_name: str = "model.layers"


class Ways(NamedTuple):
    """What a family's vLLM class does beside its layers, whatever config.json says."""

    embed_every_stage: bool = False
    """Whether it builds the embedding without asking for the pipeline stage."""
    head_every_stage: bool = False
    """Whether it builds the head without asking for the stage."""
    own_head: bool = False
    """Whether it builds a head of its own whatever `tie_word_embeddings` says."""
    softcapped: bool = False
    """Whether attention scores are capped where config.json does not say; Transformers fills the cap in."""
    rotary: Rotary = "stated"
    multi_axis: bool = False
    """Whether it rotates by several axes."""


class Family(NamedTuple):
    """One `model_type` of a text config, as vLLM's class for it builds it."""

    mixers: Callable[[Config], Mixers]
    """One mixer a layer, in order."""
    decoder: Callable[[Config, Mixers], Decoder]
    """The layers around them."""
    ways: Ways = Ways()
    """What the class does beside them."""


def stack(
    mixers: Sequence[Mixer | None],
    feed_forwards: Sequence[FeedForward | None],
    *,
    norms: int = 2,
    extra: tuple[Matrix, ...] = (),
    mixer_name: str = "self_attn",
) -> tuple[Layer, ...]:
    """Layers from one mixer and one feed-forward block each.

    Raises:
        ValueError: config.json names more layers in one list than it counts in another.
    """
    if len(mixers) != len(feed_forwards):
        raise ValueError(f"{len(mixers)} layers have attention or a state, {len(feed_forwards)} a feed-forward block")
    return tuple(
        Layer(mixer=mixer, feed_forward=block, norms=norms, extra=extra, mixer_name=mixer_name)
        for mixer, block in zip(mixers, feed_forwards, strict=True)
    )


def assemble(
    config: Config,
    decoder: Decoder,
    ways: Ways,
    towers: tuple[Tower, ...] = (),
    *,
    generic: bool = False,
    prefix_lm: bool = False,
) -> Architecture:
    """The Architecture of config.json with the layers and towers that its readers found, and its family's ways."""
    text = text_config(config)
    kinds = tuple(dict.fromkeys(decoder.layers))
    numbers = [kinds.index(layer) for layer in decoder.layers]
    _refuse_sizes(text, [layer.mixer for layer in kinds])
    hidden = integer(text, "hidden_size", "n_embd", "d_model")
    return Architecture(
        model_type=str(config.get("model_type", "")),
        architecture=class_name(config),
        hidden_size=hidden,
        vocab_size=integer(text, "vocab_size", "padded_vocab_size", default=config.get("vocab_size")),
        max_position_embeddings=max_length(config),
        context_stated=bool(stated_lengths(text)),
        tie_word_embeddings=not ways.own_head and _tied(config, text, default=decoder.tied),
        layer_kinds=kinds,
        layer_pattern=pattern(numbers),
        dtype=dtype(config),
        norm_bias=decoder.norm_bias,
        lm_head=decoder.lm_head and (class_name(config) in GENERATIVE or not class_name(config).endswith(HEADLESS)),
        lm_head_bias=decoder.lm_head_bias,
        embed_whole=decoder.embed_whole,
        embed_every_stage=ways.embed_every_stage,
        head_every_stage=ways.head_every_stage,
        layers_name=decoder.layers_name,
        extra=(*decoder.extra, *pooling_heads(config, class_name(config), hidden)),
        shared=decoder.shared,
        towers=towers,
        drafts=decoder.drafts,
        prefix_lm=prefix_lm,
        attn_logit_softcapping=bool(text.get("attn_logit_softcapping", ways.softcapped)),
        rotary_bytes=rotary_bytes(config, ways.rotary),
        multi_axis_rotary=ways.multi_axis or is_multi_axis(config),
        generic=generic,
    )


def _refuse_sizes(text: Config, mixers: Sequence[Mixer | None]) -> None:
    """Refuse sizes that no model has.

    Raises:
        UnsupportedArchitectureError: the width, the vocabulary, heads or their size are not positive.
    """
    sizes = [("hidden_size", integer(text, "hidden_size", "n_embd", "d_model"))]
    for mixer in mixers:
        named = ((name, getattr(mixer, name, None)) for name in _POSITIVE)
        sizes += [(name, value) for name, value in named if value is not None]
    wrong = [f"{name} {value}" for name, value in sizes if value <= 0]
    if wrong:
        raise UnsupportedArchitectureError(
            f"config.json of model_type {text.get('model_type')!r} gives {wrong[0]}; fetch the model's own config.json"
        )


def pattern(numbers: Sequence[int]) -> str:
    """Kinds in order as `kind*count` words."""
    runs = ((kind, len(list(group))) for kind, group in groupby(numbers))
    return " ".join(f"{kind}*{count}" if count > 1 else str(kind) for kind, count in runs)


def class_name(config: Config) -> str:
    """The class that config.json names, empty where it names none."""
    names = config.get("architectures") or text_config(config).get("architectures") or ()
    return str(names[0]) if names else ""


def _tied(config: Config, text: Config, *, default: bool) -> bool:
    """Whether the head is the embedding: the outer config's word wins (vLLM 0.32 config/vllm.py:955)."""
    word = first(config, "tie_word_embeddings")
    if word is None:
        word = first(text, "tie_word_embeddings")
    return default if word is None else bool(word)
