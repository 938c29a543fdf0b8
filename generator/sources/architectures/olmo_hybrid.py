"""OLMo Hybrid: gated delta nets with full attention between, whose norms span all heads (vLLM 0.32 olmo_hybrid.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.attention import FullAttention
from generator.models.matrix import Matrix
from generator.sources.architectures.blocks import dense, layer_count
from generator.sources.architectures.decoder import Decoder, stack

if TYPE_CHECKING:
    from generator.models.architecture import Layer
    from generator.models.attention import Mixers
    from generator.sources.architectures.fields import Config


def olmo_hybrid_decoder(text: Config, found: Mixers) -> Decoder:
    """Two norms and a gated network a layer; full attention norms all queries and all keys together."""
    layers = stack(found, (dense(text),) * layer_count(text))
    return Decoder(layers=tuple(map(_named, layers)))


def _named(layer: Layer) -> Layer:
    mixer = layer.mixer
    if not isinstance(mixer, FullAttention):
        return layer.model_copy(update={"mixer_name": "linear_attn"})
    sizes = {"q_norm": mixer.num_attention_heads * mixer.head_dim, "k_norm": mixer.num_key_value_heads * mixer.head_dim}
    norms = (
        Matrix(name=f"self_attn.{name}", rows=size, part="attention", linear=False) for name, size in sizes.items()
    )
    return layer.model_copy(update={"extra": tuple(norms)})
