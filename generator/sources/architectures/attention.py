"""config.json -> one token mixer a decoder layer, as vLLM's model classes build them.

A `model_type` that vLLM has a class for is read by that class's rules; another is read as generic when it declares
standard fields only, and refused by name when it declares anything else about attention. Nothing falls back silently
to full attention.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import UnsupportedArchitectureError
from generator.models.attention import MLA, CompressedMLA, EncoderOnly, FullAttention, Mixer, Mixers, SlidingWindow
from generator.sources.architectures.attention_latent import latent_drafts
from generator.sources.architectures.attention_softmax import heads, softmax_mixers
from generator.sources.architectures.unread import FROM_A_DUMP

if TYPE_CHECKING:
    from generator.sources.architectures.fields import Config


_MARKERS = frozenset({
    "attention", "attentions", "attn", "compress", "compressed", "conv", "delta", "gdn", "hybrid", "index",
    "indexed", "indexer", "kda", "latent", "lightning", "linear", "lora", "mamba", "mla", "recurrent",
    "retention", "rwkv", "sparse", "ssm", "state", "swa", "xlstm",
})  # fmt: skip
"""Words in a field's name that say: attention of a kind that standard fields do not describe."""

_HARMLESS = frozenset({
    "attention_bias", "attention_out_bias", "attention_dropout", "attention_probs_dropout_prob",
    "attention_qkv_bias", "attn_implementation", "attn_pdrop", "attn_qkv_bias", "attn_logit_softcapping",
    "attn_temperature_tuning", "decoder_sparse_step", "linear_bias", "num_attention_heads",
    "num_attention_groups", "output_attentions", "output_hidden_states", "use_attention_bias",
    "attention_multiplier", "attention_chunk_size", "query_pre_attn_scalar", "add_cross_attention",
    "cross_attention_hidden_size", "attention_type", "clip_qkv", "_attn_implementation",
})  # fmt: skip
"""Fields that hold one of those words and yet say nothing about the cache."""

_DRAFT_COUNTS = ("num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_modules")


def encoder_mixers(config: Config) -> Mixers:
    """One mixer a layer that attends both ways, for which vLLM keeps no cache."""
    return (EncoderOnly(**heads(config).model_dump(exclude={"kind"})),) * layer_count(config)


def standard_mixers(config: Config) -> Mixers:
    """One mixer a layer of a family that no row knows, by standard fields.

    Raises:
        UnsupportedArchitectureError: the config declares a kind of attention that they do not describe.
    """
    refuse_unknown_markers(config)
    return softmax_mixers(config)


def turned_both_ways(mixer: Mixer | None) -> Mixer | None:
    """The same heads without a cache; other kinds stay as they are, for vLLM's classes do not turn them."""
    if not isinstance(mixer, FullAttention | SlidingWindow):
        return mixer
    return EncoderOnly(**mixer.model_dump(exclude={"kind", "sliding_window"}))


def draft_mixers(config: Config, found: Mixers) -> Mixers:
    """Mixers of the multi-token-prediction layers of a text config with mixers `found`, empty where it has none.

    vLLM builds each draft layer as one more decoder layer of the target (model_executor/models/*_mtp.py).
    """
    count = draft_count(config)
    if any(isinstance(one, MLA | CompressedMLA) for one in found):
        return latent_drafts(config, count)
    kept = [one for one in found if isinstance(one, FullAttention | SlidingWindow)]
    return (kept[-1],) * count if kept else ()


def draft_count(config: Config) -> int:
    """Multi-token-prediction layers that the checkpoint carries."""
    return next((int(config[key]) for key in _DRAFT_COUNTS if config.get(key)), 0)


def layer_count(config: Config) -> int:
    """Decoder layers.

    Raises:
        UnsupportedArchitectureError: the config does not say how many.
    """
    for key in ("num_hidden_layers", "n_layer", "num_layers", "n_layers", "decoder_layers"):
        if config.get(key):
            return int(config[key])
    raise UnsupportedArchitectureError(
        f"config.json of {config.get('model_type')!r} names no number of layers (num_hidden_layers)"
    )


def refuse_unknown_markers(config: Config) -> None:
    """Refuse, by name, a config that no reader knows and that says more about attention than standard fields.

    Raises:
        UnsupportedArchitectureError: a field is not a standard one.
    """
    odd = sorted(
        key for key, value in config.items() if value and key not in _HARMLESS and _MARKERS & set(key.split("_"))
    )
    if odd:
        raise UnsupportedArchitectureError(
            f"model_type {config.get('model_type')!r} is unknown and declares {', '.join(odd)}: its cache "
            f"cannot be derived from standard fields; pick a model of a known family, or {FROM_A_DUMP}"
        )
