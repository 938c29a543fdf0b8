"""MiniCPM3, Step-3 and IQuest LoopCoder: ordinary keys and values behind projections or runs of their own kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from generator.models.matrix import Matrix
from generator.sources.architectures.attention import mixers
from generator.sources.architectures.blocks import MixtureTraits, dense, feed_forwards
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


def iquest_loop_decoder(text: Config) -> Decoder:
    """IQuest LoopCoder: Llama's layers, each with a gate between its two caches (vLLM 0.32 iquest_loopcoder.py)."""
    found, queries = mixers(text), int(text["num_attention_heads"])
    size = int(text["hidden_size"]) // queries
    gate = Matrix(name="gate_proj", rows=queries, columns=size, bias=True, shard="column", part="attention")
    return Decoder(layers=stack(found, (dense(text),) * len(found), extra=(gate,)))


PROJECTED: dict[str, Callable[[Config], Decoder]] = {
    "minicpm3": minicpm3_decoder,
    "step3_text": step3_decoder,
    "iquestloopcoder": iquest_loop_decoder,
}
"""Readers by `model_type` of the text config."""
