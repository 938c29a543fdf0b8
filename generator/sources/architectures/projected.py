"""Decoders with projections, gates or nested shapes of their own: MiniCPM3, Step-3, IQuest LoopCoder, Laguna, DBRX."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.attention import FullAttention, Mixer, Mixers, SlidingWindow
from generator.models.dtype import DType
from generator.models.feed_forward import MoE
from generator.models.matrix import Matrix
from generator.sources.architectures.blocks import MixtureTraits, dense, feed_forwards
from generator.sources.architectures.decoder import Decoder, stack

if TYPE_CHECKING:
    from generator.sources.architectures.fields import Config

_STEP3 = MixtureTraits(name="moe", shared_name="share_expert")


def minicpm3_decoder(text: Config, found: Mixers) -> Decoder:
    """MiniCPM3: MiniCPM's layers around attention of its own (vLLM 0.32 minicpm3.py)."""
    return Decoder(layers=stack(found, feed_forwards(text)), tied=True)


def step3_decoder(text: Config, found: Mixers) -> Decoder:
    """Step-3: experts beside a shared one on the layers that `moe_layers_enum` numbers (vLLM 0.32 step3_text.py)."""
    fields = {
        **text, "moe_layers_enum": str(text["moe_layers_enum"]), "norm_topk_prob": bool(text.get("norm_expert_weight")),
        "shared_expert_intermediate_size": int(text["share_expert_dim"]),
    }  # fmt: skip
    return Decoder(layers=stack(found, feed_forwards(fields, _STEP3)))


def step3p5_decoder(text: Config, found: Mixers) -> Decoder:
    """Step 3.5: experts with biased routing and a shared one, from the second layer on where no list says.

    vLLM 0.32 step3p5.py; `use_head_wise_attn_gate` adds a gate for each head.
    """
    listed = text.get("moe_layers_enum") or list(range(1, len(found)))
    fields = {
        **text, "moe_layers_enum": listed, "norm_topk_prob": bool(text.get("norm_expert_weight")),
        "shared_expert_intermediate_size": int(text["share_expert_dim"]),
    }  # fmt: skip
    traits = _STEP3._replace(correction_bias=True, router_dtype=DType.F32)
    layers = stack(found, feed_forwards(fields, traits))
    if not text.get("use_head_wise_attn_gate"):
        return Decoder(layers=layers)
    hidden = int(text["hidden_size"])
    return Decoder(layers=tuple(layer.model_copy(update={"extra": _gate(layer.mixer, hidden)}) for layer in layers))


def _gate(mixer: Mixer | None, hidden: int) -> tuple[Matrix, ...]:
    """A gate for each head of a layer."""
    heads = mixer.num_attention_heads if isinstance(mixer, FullAttention | SlidingWindow) else 0
    return (Matrix(name="self_attn.g_proj", rows=heads, columns=hidden, shard="column", part="attention"),)


def iquest_loop_decoder(text: Config, found: Mixers) -> Decoder:
    """IQuest LoopCoder: Llama's layers, each with a gate between its two caches (vLLM 0.32 iquest_loopcoder.py)."""
    queries = int(text["num_attention_heads"])
    size = int(text["hidden_size"]) // queries
    gate = Matrix(name="gate_proj", rows=queries, columns=size, bias=True, shard="column", part="attention")
    return Decoder(layers=stack(found, (dense(text),) * len(found), extra=(gate,)))


_EXPERTS = MixtureTraits(shared_name="shared_expert", correction_bias=True)


def laguna_decoder(text: Config, found: Mixers) -> Decoder:
    """Laguna: the attention's output is gated by head or by channel, experts stand beside a shared one (laguna.py)."""
    types = {} if text.get("mlp_layer_types") else {"mlp_only_layers": text.get("mlp_only_layers") or [0]}
    layers = stack(found, feed_forwards({**text, **types}, _EXPERTS))
    gated = (layer.model_copy(update={"extra": _laguna_gate(text, layer.mixer)}) for layer in layers)
    return Decoder(layers=tuple(gated))


def _laguna_gate(text: Config, mixer: Mixer | None) -> tuple[Matrix, ...]:
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
