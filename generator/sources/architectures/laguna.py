"""Laguna and DBRX: layers with heads of their own number behind gates, and shapes in nested parts of config.json."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.feed_forward import MoE
from generator.models.matrix import Matrix
from generator.sources.architectures.blocks import MixtureTraits, feed_forwards
from generator.sources.architectures.decoder import Decoder, stack

if TYPE_CHECKING:
    from generator.models.attention import Mixer, Mixers
    from generator.sources.architectures.fields import Config


_EXPERTS = MixtureTraits(shared_name="shared_expert", correction_bias=True)


def laguna_decoder(text: Config, found: Mixers) -> Decoder:
    """Laguna: the attention's output is gated by head or by channel, experts stand beside a shared one (laguna.py)."""
    types = {} if text.get("mlp_layer_types") else {"mlp_only_layers": text.get("mlp_only_layers") or [0]}
    layers = stack(found, feed_forwards({**text, **types}, _EXPERTS))
    gated = (layer.model_copy(update={"extra": _gate(text, layer.mixer)}) for layer in layers)
    return Decoder(layers=tuple(gated))


def _gate(text: Config, mixer: Mixer | None) -> tuple[Matrix, ...]:
    gating = text.get("gating", True)
    if not gating:
        return ()
    count, size = getattr(mixer, "num_attention_heads", 0), getattr(mixer, "head_dim", 0)
    rows = count if gating is True or gating == "per-head" else count * size
    name = "self_attn.g_proj"
    return (
        Matrix(
            name=name, rows=rows, columns=int(text["hidden_size"]), shard="column", units=count, part="attention",
        ),
    )  # fmt: skip


def dbrx_decoder(text: Config, found: Mixers) -> Decoder:
    """DBRX: experts on every layer, as `ffn_config` shapes them (dbrx.py)."""
    shapes = text["ffn_config"]
    block = MoE(
        num_experts=shapes["moe_num_experts"], num_experts_per_tok=shapes["moe_top_k"],
        moe_intermediate_size=shapes["ffn_hidden_size"], name="ffn", router_name="router.layer",
    )  # fmt: skip
    return Decoder(layers=stack(found, (block,) * len(found), mixer_name="norm_attn_norm.attn"))
