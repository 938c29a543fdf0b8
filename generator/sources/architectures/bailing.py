"""Bailing's hybrids (Ling 2.5): lightning attention with latent attention between (vLLM 0.32 bailing_moe_linear.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from generator.models.attention import LinearAttention
from generator.models.matrix import Matrix
from generator.sources.architectures.attention import mixers
from generator.sources.architectures.blocks import MixtureTraits, feed_forwards
from generator.sources.architectures.decoder import Decoder, stack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from generator.models.attention import Mixer

    Config = Mapping[str, Any]


def bailing_hybrid_decoder(text: Config) -> Decoder:
    """Layers of either attention over experts with a shared one, the first `first_k_dense_replace` dense."""
    layers = stack(mixers(text), feed_forwards(text, MixtureTraits(shared_whole=True)))
    return Decoder(layers=tuple(layer.model_copy(update={"extra": _norms(text, layer.mixer)}) for layer in layers))


def _norms(text: Config, mixer: Mixer | None) -> tuple[Matrix, ...]:
    if not text.get("use_qk_norm") or not isinstance(mixer, LinearAttention):
        return ()
    name = "attention.query_key_layernorms"
    return (Matrix(name=name, rows=mixer.head_dim, copies=2, part="attention", linear=False),)


BAILING: dict[str, Callable[[Config], Decoder]] = {"bailing_hybrid": bailing_hybrid_decoder}
"""Readers by `model_type` of the text config."""
