"""The readers by family, and the choice between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from generator.errors import UnsupportedArchitectureError
from generator.models.attention import ChunkedLocal, FullAttention, SlidingWindow
from generator.sources.architectures.attention import is_generic, mixers
from generator.sources.architectures.bailing import BAILING, bailing_family
from generator.sources.architectures.blocks import has_experts
from generator.sources.architectures.composite import completed
from generator.sources.architectures.decoder import Decoder, assemble, class_name
from generator.sources.architectures.dense import DENSE, dense_decoder
from generator.sources.architectures.encoders import ENCODERS
from generator.sources.architectures.ernie_vl import ERNIE_VL
from generator.sources.architectures.fields import text_config
from generator.sources.architectures.gemma_layered import GEMMA_LAYERED
from generator.sources.architectures.heads import both_ways
from generator.sources.architectures.hybrid import HYBRID
from generator.sources.architectures.laguna import NESTED
from generator.sources.architectures.latent import LATENT
from generator.sources.architectures.moe import MOE, moe_decoder
from generator.sources.architectures.multimodal import has_generic_tower, read_towers
from generator.sources.architectures.olmo_hybrid import OLMO_HYBRID
from generator.sources.architectures.projected import PROJECTED
from generator.sources.architectures.speculators import as_draft, unwrapped
from generator.sources.architectures.state_space import STATE_SPACE
from generator.sources.architectures.zamba import ZAMBA

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from generator.models.architecture import Architecture

_READERS: dict[str, Callable[[Mapping[str, Any]], Decoder]] = {
    **DENSE,
    **MOE,
    **GEMMA_LAYERED,
    **ERNIE_VL,
    **HYBRID,
    **LATENT,
    **STATE_SPACE,
    **ENCODERS,
    **NESTED,
    **BAILING,
    **PROJECTED,
    **OLMO_HYBRID,
    **ZAMBA,
}


def read_architecture(config: Mapping[str, Any], _hf_quant_config: Mapping[str, Any] | None = None) -> Architecture:
    """The shapes that config.json declares, as vLLM's class for them builds them.

    Raises:
        UnsupportedArchitectureError: the config declares what no reader knows, or lacks a shape.
    """
    try:
        return _read(completed(config))
    except KeyError as missing:
        raise UnsupportedArchitectureError(
            f"config.json of model_type {config.get('model_type')!r} lacks {missing}, which its family needs; "
            "fetch the model's own config.json"
        ) from missing
    except (AttributeError, IndexError, TypeError, ValueError, ArithmeticError) as wrong:
        reason = str(wrong).splitlines()[0] if str(wrong) else type(wrong).__name__
        raise UnsupportedArchitectureError(
            f"config.json of model_type {config.get('model_type')!r} has a field of a wrong type or value ({reason}); "
            "fetch the model's own config.json"
        ) from wrong


def _read(config: Mapping[str, Any]) -> Architecture:
    config = unwrapped(config)
    text = {"model_type": config.get("model_type"), **text_config(config)}
    text |= both_ways(text, class_name(config)) | bailing_family(config)
    reader = _READERS.get(str(text.get("model_type", "")))
    generic = reader is None or is_generic(text) or has_generic_tower(config)
    if reader is None:
        _refuse_states(text)
        reader = moe_decoder if has_experts(text) else dense_decoder
    return as_draft(assemble(config, reader(text), read_towers(config), generic=generic), text)


def _refuse_states(text: Mapping[str, Any]) -> None:
    """Refuse a family without a reader whose layers are more than softmax attention.

    Raises:
        UnsupportedArchitectureError: its tensors cannot be told from standard fields.
    """
    kinds = {
        mixer.kind
        for mixer in mixers(text)
        if not isinstance(mixer, FullAttention | SlidingWindow | ChunkedLocal) and mixer
    }
    if kinds:
        raise UnsupportedArchitectureError(
            f"model_type {text.get('model_type')!r} has layers of kind {', '.join(sorted(kinds))} and no reader of its "
            "weights; a reader of the family's tensors is needed (generator/sources/architectures)"
        )
