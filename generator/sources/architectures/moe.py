"""Families of mixtures of experts with ordinary or latent attention, DeepSeek-V4 included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from generator.errors import UnsupportedArchitectureError
from generator.models.architecture import Layer
from generator.models.attention import Mixers
from generator.models.dtype import DType
from generator.models.feed_forward import Dense
from generator.models.matrix import Matrix
from generator.sources.architectures.attention import draft_mixers
from generator.sources.architectures.blocks import (
    EXPERTS,
    PLAIN,
    MixtureTraits,
    dense,
    feed_forwards,
    layer_count,
    mixture,
)
from generator.sources.architectures.decoder import Decoder, stack
from generator.sources.architectures.fields import Config, first

if TYPE_CHECKING:
    from generator.sources.architectures.fields import Config


def moe_decoder(text: Config, found: Mixers, traits: MixtureTraits = PLAIN) -> Decoder:
    """Layers of a mixture of experts, with its multi-token-prediction layers."""
    if traits.always:
        _refuse_unnamed(text)
    shared = {"num_shared_expert": traits.shared_count} if traits.shared_count else {}
    blocks = feed_forwards({**shared, **text}, traits, bias=bool(text.get("mlp_bias") or text.get("use_bias")))
    layers = stack(found, blocks, norms=2 if text.get("sandwich_norm") is False else traits.norms)
    return Decoder(layers=layers, drafts=drafts(text, layers, found), tied=traits.tied, norm_bias=traits.norm_bias)


def _refuse_unnamed(text: Config) -> None:
    """Refuse a family of experts whose config.json does not say how many, which Transformers would fill in.

    Raises:
        UnsupportedArchitectureError: it would be read as a dense model.
    """
    if first(text, *EXPERTS) is None:
        raise UnsupportedArchitectureError(
            f"config.json of model_type {text.get('model_type')!r} does not say how many experts it has; "
            "fetch the model's own config.json"
        )


def drafts(text: Config, layers: tuple[Layer, ...], found: Mixers) -> tuple[Layer, ...]:
    """Multi-token-prediction layers: a decoder layer each, with a projection of state and embedding joined."""
    hidden = int(text["hidden_size"])
    joined = Matrix(name="eh_proj", rows=hidden, columns=2 * hidden, part="dense", linear=False)
    return tuple(
        Layer(mixer=mixer, feed_forward=layers[-1].feed_forward, norms=5, extra=(joined,))
        for mixer in draft_mixers(text, found)
    )


def llama4_decoder(text: Config, found: Mixers) -> Decoder:
    """Llama 4: experts every `interleave_moe_layer_step` layers (model_executor/models/llama4.py)."""
    step = int(text.get("interleave_moe_layer_step") or 1)
    listed = text.get("moe_layers")
    sparse = set(listed) if listed else {i for i in range(layer_count(text)) if step and (i + 1) % step == 0}
    experts = mixture(
        {**text, "shared_expert_intermediate_size": text["intermediate_size"], "moe_intermediate_size": None},
        MixtureTraits(name="feed_forward", shared_name="shared_expert", router_name="router", shared_whole=True),
    )
    plain = Dense(
        intermediate_size=int(text.get("intermediate_size_mlp") or text["intermediate_size"]),
        name="feed_forward",
    )
    blocks = tuple(experts if i in sparse else plain for i in range(layer_count(text)))
    return Decoder(layers=stack(found, blocks))


def gemma4_decoder(text: Config, found: Mixers) -> Decoder:
    """Gemma 4: a dense network and experts side by side (model_executor/models/gemma4.py)."""
    if not text.get("enable_moe_block") and not text.get("num_experts"):
        return Decoder(layers=stack(found, (dense(text),) * layer_count(text), norms=4), tied=True)
    traits = MixtureTraits(name="", shared_name="mlp", router_name="router.proj", plain_routing=True)
    inner = int(text["intermediate_size"])
    block = mixture({**text, "shared_expert_intermediate_size": inner}, traits)
    hidden = int(text["hidden_size"])
    scales = Matrix(name="router.scale", rows=hidden + block.num_experts, part="other", linear=False)
    layers = stack(found, (block,) * layer_count(text), norms=7, extra=(scales,))
    return Decoder(layers=layers, tied=True)


def minimax_m3_decoder(text: Config, found: Mixers) -> Decoder:
    """MiniMax-M3: first layers are dense, of a width of their own (models/minimax_m3/nvidia/model.py)."""
    traits = MixtureTraits(
        name="block_sparse_moe", correction_bias=bool(text.get("use_routing_bias")), router_dtype=DType.F32
    )
    width = text.get("shared_intermediate_size") or text["intermediate_size"]
    fields = {**text, "moe_intermediate_size": text["intermediate_size"], "shared_expert_intermediate_size": width}
    blocks = feed_forwards({**fields, "intermediate_size": text["dense_intermediate_size"]}, traits)
    return Decoder(layers=stack(found, blocks))


def deepseek_v4_decoder(text: Config, found: Mixers) -> Decoder:
    """Layers of DeepSeek-V4 (vLLM 0.32 models/deepseek_v4/nvidia/model.py)."""
    hashed = int(text.get("num_hash_layers") or 0)
    layers = tuple(
        _layer(text, mixer, by_token=i < hashed) for i, mixer in zip(range(layer_count(text)), found, strict=True)
    )
    drafts = tuple(_layer(text, mixer, by_token=False, joined=True) for mixer in draft_mixers(text, found))
    streams = int(text.get("hc_mult") or 0)
    width = streams * int(text["hidden_size"])
    head = (_fixed("hc_head", streams * width + streams + 1),) if streams else ()
    return Decoder(layers=layers, drafts=drafts, extra=head)


def _layer(text: Config, mixer: Any, *, by_token: bool, joined: bool = False) -> Layer:
    block = mixture(text, MixtureTraits(name="ffn", correction_bias=not by_token, shared_whole=True))
    extra = [*_connections(text)]
    if by_token:
        rows, columns = int(text["vocab_size"]), block.num_experts_per_tok
        table = Matrix(name="ffn.gate.tid2eid", rows=rows, columns=columns, part="other", dtype=DType.I32, linear=False)
        extra.append(table)
    if joined:
        extra += _joints(text)
    streams = int(text.get("hc_mult") or 1)
    return Layer(mixer=mixer, feed_forward=block, extra=tuple(extra), mixer_name="attn", streams=streams)


def _connections(text: Config) -> tuple[Matrix, ...]:
    """Hyper-connections around both blocks: `hc_mult` residual streams mixed by float32 maps."""
    streams = int(text.get("hc_mult") or 0)
    if not streams:
        return ()
    outputs = streams * (2 + streams)
    return (_fixed("hc", 2 * (outputs * streams * int(text["hidden_size"]) + outputs + 3)),)


def _joints(text: Config) -> tuple[Matrix, ...]:
    """What joins the draft layer to the target: projections of the state and of the embedding, norms, a head map."""
    hidden, streams = int(text["hidden_size"]), int(text.get("hc_mult") or 1)
    return (
        Matrix(name="e_proj", rows=hidden, columns=hidden, part="dense"),
        Matrix(name="h_proj", rows=hidden, columns=hidden, part="dense"),
        Matrix(name="mtp_norms", rows=hidden, copies=3, part="other", linear=False),
        _fixed("hc_head", streams * streams * hidden + streams + 1),
    )


def _fixed(name: str, count: int) -> Matrix:
    return Matrix(name=name, rows=count, dtype=DType.F32, part="other", linear=False)
