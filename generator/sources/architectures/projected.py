"""MiniCPM3 and Step-3: heads behind projections of low rank, which vLLM caches as ordinary keys and values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from generator.sources.architectures.attention import mixers
from generator.sources.architectures.blocks import MixtureTraits, feed_forwards
from generator.sources.architectures.decoder import Decoder, stack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Config = Mapping[str, Any]

_STEP3 = MixtureTraits(name="moe", shared_name="share_expert")


def minicpm3_decoder(text: Config) -> Decoder:
    """MiniCPM3: MiniCPM's layers around attention of its own (vLLM 0.32 minicpm3.py)."""
    return Decoder(layers=stack(mixers(text), feed_forwards(text)), tied=True)


def step3_decoder(text: Config) -> Decoder:
    """Step-3: experts beside a shared one on the layers that `moe_layers_enum` numbers (vLLM 0.32 step3_text.py)."""
    fields = {
        **text, "moe_layers_enum": str(text["moe_layers_enum"]), "norm_topk_prob": bool(text.get("norm_expert_weight")),
        "shared_expert_intermediate_size": int(text["share_expert_dim"]),
    }  # fmt: skip
    return Decoder(layers=stack(mixers(text), feed_forwards(fields, _STEP3)))


PROJECTED: dict[str, Callable[[Config], Decoder]] = {"minicpm3": minicpm3_decoder, "step3_text": step3_decoder}
"""Readers by `model_type` of the text config."""
