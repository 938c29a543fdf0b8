"""Draft heads: what vLLM builds of a checkpoint that drafts from its target's states, as shapes.

A head has no embedding of its own, and EAGLE's and DFlash's have no output head either: the target's serve both
(vLLM 0.32 v1/worker/gpu/spec_decode/eagle/utils.py: load_eagle_model).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from generator.models.attention import MLA, FullAttention, SlidingWindow
from generator.models.dtype import DType
from generator.models.feed_forward import Dense, MoE
from generator.models.matrix import Matrix
from generator.models.value import Value

if TYPE_CHECKING:
    from generator.models.architecture import Architecture, Layer

HeadMethod = Literal["eagle", "eagle3", "dflash"]

HEAD_MAP = "draft_id_to_target_id"
"""Name of the table from the draft's vocabulary to the target's."""
_TAPS = 3
"""Layers of the target whose states EAGLE-3 reads where its config names none (vLLM 0.32 llama_eagle3.py)."""


class DraftHead(Value):
    """One class that vLLM builds as a head, and its ways beyond its method's."""

    name: str
    """As config.json names it, or as vLLM renames a plain class."""
    method: HeadMethod
    joint_bias: bool = False
    """Whether the projection of state and embedding has a bias."""
    joint_split: bool = False
    """Whether it is split over ranks, where others hold it whole."""
    first_norm: bool = True
    """Whether the first layer has a norm of its input, and the stack one behind it."""


class Taps(NamedTuple):
    """What a head reads of its target: states of `layers` layers, each `width` wide; 0 for the head's own width."""

    layers: int = _TAPS
    width: int = 0
    norms: int = 0
    """Norms before the states are joined, each `width` wide."""


def eagle_head(architecture: Architecture, built_as: DraftHead) -> Architecture:
    """EAGLE: embedding and state of the last token are joined into the input of a few layers."""
    hidden = architecture.hidden_size
    split = "row" if built_as.joint_split else "replicated"
    joined = Matrix(name="fc", rows=hidden, columns=2 * hidden, part="dense", shard=split, bias=built_as.joint_bias)
    head = architecture if built_as.first_norm else _first_layer(architecture, norms=-2)
    return head.model_copy(
        update={
            "architecture": built_as.name,
            "extra": (*architecture.extra, joined),
            "embedding": False,
            "lm_head": False,
            "tie_word_embeddings": False,
        }
    )


def eagle3_head(architecture: Architecture, taps: Taps | None = None, vocabulary: int | None = None) -> Architecture:
    """EAGLE-3: states of several layers are joined; the first layer attends from state and embedding side by side.

    `vocabulary` is the draft's own, smaller one, with a table of what its entries are in the target's.
    """
    hidden, vocab = architecture.hidden_size, vocabulary or architecture.vocab_size
    taps = taps or Taps()
    width = taps.width or hidden
    extra = (
        _joint(hidden, width * taps.layers),
        *_second_inputs(architecture),
        *_norms(width, taps.norms),
        _head_map(vocab),
    )
    kinds = tuple(kind.model_copy(update={"norms": kind.norms + 1}) for kind in architecture.layer_kinds)
    return _with_head(architecture.model_copy(update={"layer_kinds": kinds}), extra, vocab)


def dflash_head(architecture: Architecture, taps: Taps, vocabulary: int | None = None) -> Architecture:
    """DFlash: all tokens are drafted at once from states whose keys and values the draft keeps in its cache.

    vLLM stacks the layers' key and value projections once more, for one product over all of them
    (vLLM 0.32 model_executor/models/qwen3_dflash.py: _build_context_kv_buffers).
    """
    hidden, vocab = architecture.hidden_size, vocabulary or architecture.vocab_size
    stacked = tuple(
        Matrix(
            name=f"context_{name}", rows=mixer.num_key_value_heads * mixer.head_dim, columns=hidden, part="attention",
            shard="column", units=mixer.num_key_value_heads, copies=architecture.num_hidden_layers, linear=False,
        )
        for mixer in [architecture.layers[0].mixer]
        if isinstance(mixer, FullAttention | SlidingWindow)
        for name in ("k_proj", "v_proj")
    )  # fmt: skip
    joint = _joint(hidden, (taps.width or hidden) * taps.layers)
    mapped = (_head_map(vocab),) if vocabulary else ()
    return _with_head(architecture, (joint, *_norms(hidden, 2), *stacked, *mapped), vocab)


def dense_layers(architecture: Architecture, intermediate_size: int) -> Architecture:
    """The architecture with feed-forward blocks in place of experts, as EAGLE-3 of DeepSeek's kind has them."""
    kinds = tuple(
        kind.model_copy(update={"feed_forward": Dense(intermediate_size=intermediate_size)})
        if isinstance(kind.feed_forward, MoE)
        else kind
        for kind in architecture.layer_kinds
    )
    return architecture.model_copy(update={"layer_kinds": kinds})


def _with_head(architecture: Architecture, extra: tuple[Matrix, ...], vocab: int) -> Architecture:
    """The architecture with `extra` and an output head of `vocab` entries, without an embedding."""
    return architecture.model_copy(
        update={
            "extra": (*architecture.extra, *extra),
            "embedding": False,
            "lm_head": True,
            "vocab_size": vocab,
            "tie_word_embeddings": False,
        }
    )


def _head_map(vocab: int) -> Matrix:
    return Matrix(name=HEAD_MAP, rows=vocab, dtype=DType.I64, part="other", linear=False)


def _joint(rows: int, columns: int) -> Matrix:
    return Matrix(name="fc", rows=rows, columns=columns, part="dense")


def _norms(width: int, count: int) -> tuple[Matrix, ...]:
    return (Matrix(name="norms", rows=width, copies=count, part="other", linear=False),) if count else ()


def _first_layer(architecture: Architecture, *, norms: int) -> Architecture:
    """The architecture whose first layer has `norms` norms more; less, the final one counted in."""
    layers = architecture.layers
    first: Layer = layers[0].model_copy(update={"norms": layers[0].norms + norms})
    kinds = (first, *architecture.layer_kinds)
    numbers = [0, *(1 + architecture.layer_kinds.index(layer) for layer in layers[1:])]
    return architecture.model_copy(update={"layer_kinds": kinds, "layer_pattern": " ".join(map(str, numbers))})


def _second_inputs(architecture: Architecture) -> tuple[Matrix, ...]:
    """The first layer attends from state and embedding joined: its projections are twice as wide."""
    mixer, hidden = architecture.layers[0].mixer, architecture.hidden_size
    if isinstance(mixer, MLA):
        rows = (mixer.q_lora_rank or 0) + mixer.kv_lora_rank + mixer.qk_rope_head_dim
        return (Matrix(name="layers.0.self_attn.fused_qkv_a_proj", rows=rows, columns=hidden, part="attention"),)
    if not isinstance(mixer, FullAttention | SlidingWindow):
        return ()
    q, kv = mixer.num_attention_heads, mixer.num_key_value_heads
    sizes = (
        ("q_proj", q * mixer.head_dim, q),
        ("k_proj", kv * mixer.head_dim, kv),
        ("v_proj", kv * mixer.head_dim_v, kv),
    )
    return tuple(
        Matrix(
            name=f"layers.0.self_attn.{name}", rows=size, columns=hidden, shard="column", units=units, part="attention"
        )
        for name, size, units in sizes
    )
