"""Families whose layers differ in mixer or have a mixer alone: Mamba hybrids, Zamba2, delta nets, Kimi-Linear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import UnsupportedArchitectureError
from generator.models.architecture import Layer
from generator.models.attention import FullAttention, Mixers, Parallel
from generator.models.feed_forward import Dense, FeedForward, MoE
from generator.models.matrix import Matrix, Part, Shard
from generator.sources.architectures.attention import draft_count
from generator.sources.architectures.attention_recurrent import nemotron_h_pattern, pattern_letters
from generator.sources.architectures.blocks import (
    MixtureTraits,
    dense,
    feed_forwards,
    has_experts,
    layer_count,
    mixture,
)
from generator.sources.architectures.decoder import Decoder, stack
from generator.sources.architectures.fields import Config, integer

if TYPE_CHECKING:
    from generator.sources.architectures.fields import Config

_QWEN_NEXT = MixtureTraits(shared_name="shared_expert", shared_gate=True, shared_whole=True)


def gated_delta_decoder(text: Config, found: Mixers, unnamed_drafts: int = 0) -> Decoder:
    """Qwen3-Next and Qwen3.5: gated delta nets and full attention, dense or with a gated shared expert."""
    blocks = feed_forwards(text, _QWEN_NEXT) if has_experts(text) else (dense(text),) * layer_count(text)
    layers = tuple(
        Layer(
            mixer=mixer,
            feed_forward=block,
            mixer_name="self_attn" if isinstance(mixer, FullAttention) else "linear_attn",
        )
        for mixer, block in zip(found, blocks, strict=True)
    )
    hidden = int(text["hidden_size"])
    joined = Matrix(name="fc", rows=hidden, columns=2 * hidden, shard="column", part="dense")
    attention = [layer for layer in layers if isinstance(layer.mixer, FullAttention)]
    count = draft_count(text) or unnamed_drafts
    drafts = tuple(attention[-1].model_copy(update={"norms": 5, "extra": (joined,)}) for _ in range(count))
    return Decoder(layers=layers, drafts=drafts)


def nemotron_h_decoder(text: Config, found: Mixers) -> Decoder:
    """Nemotron-H: each layer is one mixer or one feed-forward block (model_executor/models/nemotron_h.py)."""
    letters = nemotron_h_pattern(text)
    blocks: dict[str, FeedForward | None] = {"-": None, "E": None}
    if "-" in letters:
        blocks["-"] = dense(text, gated=False, bias=bool(text.get("mlp_bias")), name="mixer")
    if "E" in letters:
        blocks["E"] = _nemotron_experts(text)
    layers = stack(found, tuple(blocks.get(letter) for letter in letters), norms=1, mixer_name="mixer")
    return Decoder(layers=layers, drafts=_nemotron_drafts(text, layers))


def _nemotron_experts(text: Config) -> MoE:
    block = mixture(text, MixtureTraits(name="mixer", gated=False, correction_bias=True, shared_whole=True))
    return block.model_copy(update={"expert_hidden_size": text.get("moe_latent_size")})


def _nemotron_drafts(text: Config, layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Draft layers by `mtp_hybrid_override_pattern` or `mtp_layers_block_type`, joined like DeepSeek's.

    Attention and experts where config.json names neither (Transformers' configuration_nemotron_h.py).
    """
    words = pattern_letters(text.get("mtp_layers_block_type"))
    pattern = str(text.get("mtp_hybrid_override_pattern") or words or "*E")
    hidden = int(text["hidden_size"])
    joined = Matrix(name="eh_proj", rows=hidden, columns=2 * hidden, shard="column", part="dense")
    found = [_like(letter, layers) for letter in pattern * draft_count(text)]
    if found:
        found[0] = found[0].model_copy(update={"norms": 3, "extra": (joined,)})
    return tuple(found)


def _like(letter: str, layers: tuple[Layer, ...]) -> Layer:
    """A layer of the model that a draft's layer is built like."""
    wanted: type = {"*": FullAttention, "E": MoE, "-": Dense}[letter]
    found = next((layer for layer in layers if isinstance(layer.mixer or layer.feed_forward, wanted)), None)
    if found is None:
        raise ValueError(f"a draft layer is of a kind, {letter!r}, that no layer of the model has")
    return found


def kimi_linear_decoder(text: Config, found: Mixers) -> Decoder:
    """Kimi-Linear and Kimi-K3: delta attention and latent attention over experts (vLLM 0.32 models/kimi_k3)."""
    traits = MixtureTraits(
        name="block_sparse_moe",
        shared_whole=True,
        correction_bias=True,
        activation=str(text.get("hidden_act") or "silu"),
    )
    blocks = tuple(
        block.model_copy(update={
            "expert_hidden_size": text.get("routed_expert_hidden_size"),
            "latent_norm": bool(text.get("latent_moe_use_norm")),
        }) if isinstance(block, MoE) else block
        for block in feed_forwards(text, traits)
    )  # fmt: skip
    hidden = int(text["hidden_size"])
    residual = Matrix(name="attn_res", rows=hidden, copies=4, part="other", linear=False)
    extra = (residual,) if text.get("attn_res_block_size") else ()
    outer = (residual.model_copy(update={"copies": 2}),) if extra else ()
    return Decoder(layers=stack(found, blocks, extra=extra), extra=outer)


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


_BLOCK = "shared_transformer"
_DEFAULT_RANK = 128


def zamba2_decoder(text: Config, found: Mixers) -> Decoder:
    """A norm and a state space a layer; hybrid ones add a projection behind the shared block that they run."""
    hidden, inner = integer(text, "hidden_size"), _inner(text)
    shared = Dense(intermediate_size=inner, bias=bool(text.get("add_bias_linear")), shared=True, name="feed_forward")
    plain = stack(found, (None,) * len(found), norms=1, mixer_name="mamba")
    joined = (Matrix(name="linear", rows=hidden, columns=hidden, part="dense"),)
    layers = tuple(
        layer.model_copy(update={"feed_forward": shared, "extra": joined})
        if isinstance(layer.mixer, Parallel)
        else layer
        for layer in plain
    )
    hybrids = sum(isinstance(mixer, Parallel) for mixer in found)
    return Decoder(layers=layers, tied=True, extra=_adapters(text, hybrids), shared=_blocks(text))


def _inner(text: Config) -> int:
    return integer(text, "intermediate_size", default=4 * integer(text, "hidden_size"))


def _blocks(text: Config) -> tuple[Matrix, ...]:
    """The shared blocks: attention over the state beside the embedding, so twice as wide, and a gated network.

    Raises:
        UnsupportedArchitectureError: there is no block to share.
    """
    hidden, inner = integer(text, "hidden_size"), _inner(text)
    count = integer(text, "num_mem_blocks", default=1)
    if count <= 0:
        raise UnsupportedArchitectureError(f"config.json of model_type 'zamba2' gives num_mem_blocks {count}")
    rows: tuple[tuple[str, int, int, Shard, Part], ...] = (
        *((f"self_attn.{name}_proj", 2 * hidden, 2 * hidden, "column", "attention") for name in "qkv"),
        ("self_attn.o_proj", hidden, 2 * hidden, "row", "attention"),
        ("feed_forward.gate_up_proj", 2 * inner, hidden, "column", "dense"),
        ("feed_forward.down_proj", hidden, inner, "row", "dense"),
    )
    bias = bool(text.get("add_bias_linear"))
    projections = (
        Matrix(
            name=f"{_BLOCK}.{name}", rows=out, columns=into, shard=shard, part=part, copies=count,
            bias=bias and part == "dense",
        )
        for name, out, into, shard, part in rows
    )  # fmt: skip
    return (*projections, Matrix(name=f"{_BLOCK}.norms", rows=3 * hidden, copies=count, part="other", linear=False))


def _adapters(text: Config, hybrids: int) -> tuple[Matrix, ...]:
    """Low-rank adapters of each hybrid layer's own: of the network, and of queries, keys and values where asked for."""
    hidden, inner = integer(text, "hidden_size"), _inner(text)
    rank = integer(text, "adapter_rank", default=_DEFAULT_RANK)
    names = ["feed_forward.gate_up_proj_adapter"]
    if text.get("use_shared_attention_adapter"):
        names += [f"self_attn.linear_{name}_adapter" for name in "qkv"]
    shapes = dict.fromkeys(names, (2 * hidden, 2 * hidden)) | {names[0]: (hidden, 2 * inner)}
    return tuple(
        Matrix(name=f"{_BLOCK}.{name}.{side}", rows=rows, columns=columns, shard="column", part="dense", copies=hybrids)
        for name, (into, out) in shapes.items()
        for side, rows, columns in (("A", rank, into), ("B", out, rank))
    )
