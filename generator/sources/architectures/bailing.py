"""Bailing's hybrids: Ling 2.5 with lightning, Ling 3 with delta attention, and latent attention between.

vLLM 0.32 bailing_moe_linear.py, bailing_moe_v3.py.
"""

from generator.errors import UnsupportedArchitectureError
from generator.models.architecture import Layer
from generator.models.attention import MLA, LinearAttention, Mixer, Mixers
from generator.models.dtype import DType
from generator.models.matrix import Matrix
from generator.sources.architectures.blocks import MixtureTraits, feed_forwards
from generator.sources.architectures.decoder import Decoder, class_name, stack
from generator.sources.architectures.fields import Config, text_config
from generator.sources.architectures.unread import FROM_A_DUMP


def bailing_hybrid_decoder(text: Config, found: Mixers) -> Decoder:
    """Layers of either attention over experts with a shared one, the first `first_k_dense_replace` dense."""
    layers = stack(found, feed_forwards(text, MixtureTraits(shared_whole=True)))
    return Decoder(layers=tuple(layer.model_copy(update={"extra": _norms(text, layer.mixer)}) for layer in layers))


def _norms(text: Config, mixer: Mixer | None) -> tuple[Matrix, ...]:
    if not text.get("use_qk_norm") or not isinstance(mixer, LinearAttention):
        return ()
    name = "attention.query_key_layernorms"
    return (Matrix(name=name, rows=mixer.head_dim, copies=2, part="attention", linear=False),)


_V3_CLASSES = frozenset({"BailingMoeV3ForCausalLM", "BailingMoeV3VLForConditionalGeneration"})
_V3 = MixtureTraits(correction_bias=True, router_dtype=DType.F32)


def bailing_family(config: Config) -> dict[str, str]:
    """The family of Ling 3, whose `model_type` is Ling 2.5's; empty for any other."""
    return {"model_type": "bailing_hybrid_v3"} if is_third_bailing(config) else {}


def is_third_bailing(config: Config) -> bool:
    """Whether vLLM builds BailingMoeV3: by its class, or by a field of its delta attention where none is named."""
    name, text = class_name(config), text_config(config)
    delta = text.get("model_type") == "bailing_hybrid" and text.get("short_conv_kernel_size")
    return name in _V3_CLASSES or bool(delta and not name)


def bailing_v3_decoder(text: Config, found: Mixers) -> Decoder:
    """Ling 3: delta or latent attention over experts with a shared one, the first `first_k_dense_replace` dense.

    Raises:
        UnsupportedArchitectureError: the networks have biases, or the attention a gate of an unknown kind.
    """
    gate = text.get("gated_attention_proj_granularity_type")
    if text.get("use_bias") or gate not in {None, "head_wise", "element_wise"}:
        raise UnsupportedArchitectureError(
            f"BailingMoeV3 with use_bias {text.get('use_bias')!r} and gates {gate!r} is not planned: "
            f"no reader builds them; {FROM_A_DUMP}"
        )
    layers = stack(found, feed_forwards(text, _V3))
    return Decoder(layers=tuple(_gated(layer, text) if gate == "head_wise" else layer for layer in layers))


def _gated(layer: Layer, text: Config) -> Layer:
    """The layer with a gate for each head of its latent attention."""
    if not isinstance(layer.mixer, MLA):
        return layer
    heads, hidden = layer.mixer.num_attention_heads, int(text["hidden_size"])
    gate = Matrix(name="self_attn.g_proj", rows=heads, columns=hidden, shard="column", part="attention")
    return layer.model_copy(update={"extra": (gate,)})
