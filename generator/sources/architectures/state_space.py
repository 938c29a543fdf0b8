"""Mamba families and their hybrids with attention: Granite 4, Bamba, Falcon-H1, Jamba, LFM2, Mamba itself."""

from generator.models.architecture import Layer
from generator.models.attention import FullAttention, Mixers
from generator.models.dtype import DType
from generator.models.feed_forward import Dense, FeedForward
from generator.models.matrix import Matrix
from generator.sources.architectures.blocks import (
    MixtureTraits,
    dense,
    feed_forwards,
    has_experts,
    layer_count,
    mixture,
)
from generator.sources.architectures.decoder import Decoder, stack
from generator.sources.architectures.fields import Config, first
from generator.units import round_up

_GRANITE = MixtureTraits(name="block_sparse_moe", router_name="router.layer", shared_name="shared_mlp")


def dense_hybrid_decoder(text: Config, found: Mixers) -> Decoder:
    """Bamba and Falcon-H1: every layer has a gated network; Falcon-H1 names its own biases."""
    block = dense(text, bias=bool(text.get("mlp_bias")))
    return Decoder(layers=stack(found, (block,) * layer_count(text)))


def granite_hybrid_decoder(text: Config, found: Mixers) -> Decoder:
    """Granite 4: experts with a shared network beside them, or that network alone (granitemoehybrid.py)."""
    shared = first(text, "shared_intermediate_size")
    block: FeedForward
    if has_experts(text):
        block = mixture(text, _GRANITE)
    else:
        block = Dense(intermediate_size=int(shared or text["intermediate_size"]), name="shared_mlp")
    return Decoder(layers=_named(stack(found, (block,) * layer_count(text))))


def _named(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Layers whose state mixers are called `mamba`, as checkpoints spell them."""
    return tuple(
        layer if isinstance(layer.mixer, FullAttention) else layer.model_copy(update={"mixer_name": "mamba"})
        for layer in layers
    )


def jamba_decoder(text: Config, found: Mixers) -> Decoder:
    """Jamba: experts every `expert_layer_period` layers, else one network of the same width."""
    period, offset = int(text.get("expert_layer_period") or 2), int(text.get("expert_layer_offset", 1))
    plain = dense(text, name="feed_forward")
    experts = mixture(text, MixtureTraits(name="feed_forward", router_name="router")) if has_experts(text) else plain
    blocks = tuple(experts if i % period == offset else plain for i in range(layer_count(text)))
    return Decoder(layers=_named(stack(found, blocks)))


def lfm2_decoder(text: Config, found: Mixers) -> Decoder:
    """LFM2: the width is adjusted as Llama's once was (lfm2.py: Lfm2MLP), experts after `num_dense_layers`."""
    blocks = feed_forwards(
        text,
        MixtureTraits(name="feed_forward", correction_bias=bool(text.get("use_expert_bias")), router_quantized=True),
    )
    if not has_experts(text):
        blocks = (Dense(intermediate_size=_adjusted(text), name="feed_forward"),) * layer_count(text)
    layers = tuple(
        layer if isinstance(layer.mixer, FullAttention) else layer.model_copy(update={"mixer_name": "conv"})
        for layer in stack(found, blocks)
    )
    return Decoder(layers=layers, tied=True)


def _adjusted(text: Config) -> int:
    inner = int(first(text, "block_ff_dim", "intermediate_size") or 0)
    if not text.get("block_auto_adjust_ff_dim", True):
        return inner
    inner = int(2 * inner / 3)
    factor = text.get("block_ffn_dim_multiplier")
    if factor is not None:
        inner = int(float(factor) * inner)
    multiple = int(text.get("block_multiple_of") or 256)
    return round_up(inner, multiple)


def mamba_decoder(text: Config, found: Mixers, *, tied: bool = True) -> Decoder:
    """Mamba and Mamba-2: a mixer and one norm a layer."""
    layers = stack(found, (None,) * layer_count(text), norms=1, mixer_name="mixer")
    return Decoder(layers=layers, tied=tied)


def minimax_text_decoder(text: Config, found: Mixers) -> Decoder:
    """MiniMax-Text-01: experts by Mixtral's names on every layer (minimax_text_01.py)."""
    block = mixture(text, MixtureTraits(name="block_sparse_moe"))
    return Decoder(layers=stack(found, (block,) * layer_count(text)))


def longcat_decoder(text: Config, found: Mixers) -> Decoder:
    """LongCat-Flash: two attentions and two networks a layer, experts beside them (longcat_flash.py)."""
    hidden, inner = int(text["hidden_size"]), int(text["ffn_hidden_size"])
    block = mixture(text, MixtureTraits(router_name="router.classifier", correction_bias=True, router_dtype=DType.F32))
    idle = int(text.get("zero_expert_num") or 0)
    rows = (
        ("mlps.gate_proj", inner, hidden, "column"), ("mlps.up_proj", inner, hidden, "column"),
        ("mlps.down_proj", hidden, inner, "row"),
    )  # fmt: skip
    extra = (
        *(
            Matrix(name=name, rows=out, columns=into, shard=shard, part="dense", copies=2)
            for name, out, into, shard in rows
        ),
        Matrix(
            name="mlp.zero_experts", rows=idle, columns=hidden, bias=True, dtype=DType.F32, part="other", linear=False,
        ),
    )  # fmt: skip
    layers = stack(found, (block,) * layer_count(text), norms=4, extra=extra)
    return Decoder(layers=layers, extra=_ngrams(text) if text.get("ngram_vocab_size_ratio") else ())


def _ngrams(text: Config) -> tuple[Matrix, ...]:
    """Embeddings of n-grams beside the tokens': one table for all that are told apart, and a projection of each.

    Table i has `2 i + 1` rows more than the vocabulary times the ratio (vLLM 0.32 longcat_flash_ngram.py:73).
    """
    hidden, count = int(text["hidden_size"]), int(text["emb_split_num"]) * (int(text["emb_neighbor_num"]) - 1)
    rows = count * int(text["ngram_vocab_size_ratio"] * int(text["vocab_size"])) + count**2
    width = hidden // count
    table = Matrix(
        name="ngram_embeddings.embedders", rows=rows, columns=width, shard="vocab", part="embed", linear=False
    )
    name = "ngram_embeddings.post_projs"
    return (table, Matrix(name=name, rows=hidden, columns=width, copies=count, part="dense", linear=False))
