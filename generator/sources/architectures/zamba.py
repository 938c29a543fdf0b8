"""Zamba2: Mamba-2 on every layer, and a few transformer blocks that the hybrid layers share (vLLM 0.32 zamba2.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import UnsupportedArchitectureError
from generator.models.attention import Parallel
from generator.models.feed_forward import Dense
from generator.models.matrix import Matrix
from generator.sources.architectures.decoder import Decoder, stack
from generator.sources.architectures.fields import Config, integer

if TYPE_CHECKING:
    from generator.models.attention import Mixers
    from generator.models.matrix import Part, Shard


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
