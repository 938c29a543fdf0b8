"""config.json -> one token mixer a decoder layer, as vLLM's model classes build them.

`mixers` takes the text config. A `model_type` that vLLM has a class for is read by that class's rules; another
one is read as generic when it declares standard fields only, and refused by name when it declares anything
else about attention. Nothing falls back silently to full attention.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from generator.errors import UnsupportedArchitectureError
from generator.models.attention import EncoderOnly
from generator.sources.architectures.attention_latent import LATENT, latent_drafts
from generator.sources.architectures.attention_recurrent import RECURRENT
from generator.sources.architectures.attention_softmax import SOFTMAX, heads, softmax_mixers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from generator.models.attention import Mixer

    Config = Mapping[str, Any]
    Mixers = tuple[Mixer | None, ...]
    Reader = Callable[[Config], Mixers]

ENCODERS = frozenset({"bert", "roberta", "xlm-roberta", "modernbert", "nomic_bert", "new", "distilbert"})
"""Model types whose every layer is bidirectional: vLLM keeps no cache for them."""

_MARKERS = frozenset({
    "attn", "compress", "compressed", "conv", "delta", "gdn", "hybrid", "indexed", "indexer", "kda", "latent",
    "lightning", "linear", "lora", "mamba", "mla", "recurrent", "retention", "rwkv", "shared", "sparse", "ssm",
    "state", "swa", "topk", "xlstm",
})  # fmt: skip
"""Words in a field's name that say: attention of a kind that standard fields do not describe."""

_HARMLESS = frozenset({
    "attn_implementation", "attn_pdrop", "index_topk", "linear_bias", "n_shared_experts", "num_shared_experts",
    "resid_pdrop", "sep_token_id", "shared_expert_intermediate_size", "shared_intermediate_size", "topk_group",
    "topk_method", "moe_topk", "norm_topk_prob", "router_topk", "attn_logit_softcapping", "output_router_logits",
    "num_experts_shared", "shared_expert_gate", "moe_shared_expert_intermediate_size", "attn_qkv_bias",
    "decoder_sparse_step", "moe_num_shared_experts", "shared_head_dim", "attn_temperature_tuning",
}) - {"index_topk"}  # fmt: skip
"""Fields that hold one of those words and yet say nothing about the cache."""

_READERS: dict[str, Reader] = {**SOFTMAX, **LATENT, **RECURRENT}


def mixers(config: Config) -> Mixers:
    """One mixer for each decoder layer in order, None where a layer has none, from a text config.

    Raises:
        UnsupportedArchitectureError: the config declares a kind of attention that no reader knows.
    """
    model_type = str(config.get("model_type", ""))
    if model_type in ENCODERS or config.get("is_causal") is False:
        return tuple(EncoderOnly(**heads(config).model_dump()) for _ in range(layer_count(config)))
    reader = _READERS.get(model_type)
    if reader is None:
        refuse_unknown_markers(config)
        reader = softmax_mixers
    return reader(config)


def is_generic(config: Config) -> bool:
    """Whether `mixers` reads this text config by standard fields, no reader knowing its `model_type`."""
    model_type = str(config.get("model_type", ""))
    return model_type not in _READERS and model_type not in ENCODERS


def draft_mixers(config: Config) -> Mixers:
    """Mixers of the multi-token-prediction layers of a text config, empty where it has none.

    vLLM builds each draft layer as one more decoder layer of the target (model_executor/models/*_mtp.py).
    """
    count = draft_count(config)
    if count == 0:
        return ()
    if str(config.get("model_type", "")) in LATENT:
        return latent_drafts(config, count)
    attention = [
        mixer
        for mixer in mixers(config)
        if mixer is not None and "num_attention_heads" in mixer.model_fields_set
    ]
    return tuple(attention[-1] for _ in range(count)) if attention else ()


def draft_count(config: Config) -> int:
    """Multi-token-prediction layers that the checkpoint carries."""
    for key in ("num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_modules"):
        if config.get(key):
            return int(config[key])
    return 0


def layer_count(config: Config) -> int:
    """Decoder layers."""
    for key in ("num_hidden_layers", "n_layer", "num_layers", "n_layers"):
        if config.get(key):
            return int(config[key])
    raise UnsupportedArchitectureError(
        f"config.json of {config.get('model_type')!r} names no number of layers (num_hidden_layers)"
    )


def refuse_unknown_markers(config: Config) -> None:
    """Refuse, by name, a config that no reader knows and that says more about attention than standard fields.

    Raises:
        UnsupportedArchitectureError: a field or a `layer_types` word is not a standard one.
    """
    odd = sorted(
        key
        for key, value in config.items()
        if value and key not in _HARMLESS and _MARKERS & set(key.split("_"))
    )
    if odd:
        raise UnsupportedArchitectureError(
            f"model_type {config.get('model_type')!r} is unknown and declares {', '.join(odd)}: its cache cannot be "
            "derived from standard fields; pick a model of a known family or measure it"
        )
