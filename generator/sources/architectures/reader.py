"""From config.json to an Architecture, by the row of its family."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from generator.errors import UnsupportedArchitectureError
from generator.models.architecture import Architecture
from generator.models.attention import ChunkedLocal, FullAttention, Mixers, SlidingWindow
from generator.sources.architectures.attention import standard_mixers, turned_both_ways
from generator.sources.architectures.bailing import bailing_family
from generator.sources.architectures.blocks import has_experts
from generator.sources.architectures.composite import completed
from generator.sources.architectures.decoder import Decoder, Ways, assemble, class_name
from generator.sources.architectures.dense import dense_decoder
from generator.sources.architectures.fields import text_config
from generator.sources.architectures.heads import both_ways
from generator.sources.architectures.moe import moe_decoder
from generator.sources.architectures.multimodal import has_generic_tower, is_prefix_lm, read_towers
from generator.sources.architectures.speculators import as_draft, unwrapped
from generator.sources.architectures.table import FAMILIES
from generator.sources.architectures.unread import FROM_A_DUMP, refuse_unread, refuse_values

if TYPE_CHECKING:
    from generator.sources.architectures.fields import Config

_PREFIX = re.compile(r"(.+?)(For[A-Z]\w*|Model|LMHead\w*)")
_ALIKE = {re.sub(r"[_-]", "", name): name for name in FAMILIES if name != "llama"}
"""Families by their names as classes are written: `deepseekv3`. Of Llama standard fields say as much, and more where
a repository's own code has copied its class's name."""


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


def mixers(text: Config) -> Mixers:
    """One mixer for each decoder layer in order, None where a layer has none, from a text config.

    Raises:
        UnsupportedArchitectureError: the config declares a kind of attention that no reader knows.
    """
    refuse_unread(text)
    family = FAMILIES.get(str(text.get("model_type", "")))
    read = family.mixers if family else standard_mixers
    found = read(text)
    return tuple(map(turned_both_ways, found)) if text.get("is_causal") is False else found


def _read(config: Config) -> Architecture:
    config = unwrapped(config)
    text = {"model_type": config.get("model_type"), **text_config(config)}
    refuse_values(text, class_name(config))
    text |= both_ways(text, class_name(config)) | bailing_family(config)
    text["model_type"] = _family_name(config, text)
    family = FAMILIES.get(str(text.get("model_type", "")))
    found = mixers(text)
    decoder = family.decoder(text, found) if family else _generic_decoder(text, found)
    generic = family is None or has_generic_tower(config)
    ways = family.ways if family else Ways()
    prefix_lm = is_prefix_lm(config, text_config(config))
    shapes = assemble(config, decoder, ways, read_towers(config), generic=generic, prefix_lm=prefix_lm)
    return as_draft(shapes, text)


def _family_name(config: Config, text: Config) -> Any:
    """The decoder's `model_type`; where no row has it, that of the class which its own config names.

    VLLM builds what `architectures` says: a repository's own config class may be called anything (Kimi K2 is a
    DeepseekV3ForCausalLM).
    """
    own = text.get("model_type")
    if own in FAMILIES:
        return own
    classes = text_config(config).get("architectures") or ()
    found = (_PREFIX.fullmatch(str(name)) for name in classes)
    named = (_ALIKE.get(one[1].replace("_", "").lower()) for one in found if one)
    return next((name for name in named if name), own)


def _generic_decoder(text: Config, found: Mixers) -> Decoder:
    """Layers of a family without a row, which are read only around softmax attention.

    Raises:
        UnsupportedArchitectureError: its tensors cannot be told from standard fields.
    """
    kinds = {one.kind for one in found if one and not isinstance(one, FullAttention | SlidingWindow | ChunkedLocal)}
    if kinds:
        raise UnsupportedArchitectureError(
            f"model_type {text.get('model_type')!r} has layers of kind {', '.join(sorted(kinds))} and no reader of its "
            f"weights; {FROM_A_DUMP}"
        )
    return moe_decoder(text, found) if has_experts(text) else dense_decoder(text, found)
