"""Draft models with a config.json of their own: EAGLE and EAGLE-3, which borrow the target's embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from generator.models.attention import FullAttention, SlidingWindow
from generator.models.dtype import DType
from generator.models.matrix import Matrix, Shard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from generator.models.architecture import Architecture

    Config = Mapping[str, Any]

EAGLE3 = frozenset({
    "LlamaForCausalLMEagle3", "Eagle3LlamaForCausalLM", "Eagle3MiniMaxM2ForCausalLM", "Eagle3Qwen2_5vlForCausalLM",
    "Eagle3Qwen3vlForCausalLM", "Eagle3Qwen3ForCausalLM", "PeagleLlamaForCausalLM", "PeagleQwen3ForCausalLM",
    "PEagleDraftModel",
})  # fmt: skip
EAGLE = frozenset({
    "EagleLlamaForCausalLM", "LlamaForCausalLMEagle", "EagleMistralForCausalLM", "EagleCohereForCausalLM",
    "EagleMiniCPMForCausalLM",
})  # fmt: skip
"""Classes that vLLM's registry builds as drafts (vLLM 0.32 model_executor/models/registry.py)."""

_TAPS = 3
"""Layers of the target whose states EAGLE-3 reads where its config names none (vLLM 0.32 llama_eagle3.py)."""


def as_draft(architecture: Architecture, text: Config) -> Architecture:
    """The architecture as vLLM builds it for a draft; unchanged where its class is none.

    The target's embedding replaces the draft's own, and EAGLE's head is the target's (v1/spec_decode/eagle.py).
    """
    hidden = architecture.hidden_size
    if architecture.architecture in EAGLE:
        joined = _fc(hidden, 2 * hidden)
        return architecture.model_copy(
            update={"extra": (*architecture.extra, joined), "embedding": False, "lm_head": False}
        )
    if architecture.architecture not in EAGLE3:
        return architecture
    taps = len(text.get("eagle_aux_hidden_state_layer_ids") or ()) or _TAPS
    width = int(text.get("target_hidden_size") or hidden) * taps
    vocab = int(text.get("draft_vocab_size") or architecture.vocab_size)
    table = Matrix(name="draft_id_to_target_id", rows=vocab, dtype=DType.I64, part="other", linear=False)
    extra = (*architecture.extra, _fc(hidden, width), *_second_inputs(architecture), table)
    return architecture.model_copy(
        update={"extra": extra, "embedding": False, "vocab_size": vocab, "tie_word_embeddings": False}
    )


def _fc(rows: int, columns: int) -> Matrix:
    return Matrix(name="fc", rows=rows, columns=columns, part="dense")


def _second_inputs(architecture: Architecture) -> tuple[Matrix, ...]:
    """The first layer attends from state and embedding joined: its projections are twice as wide."""
    mixer = architecture.layers[0].mixer
    if not isinstance(mixer, FullAttention | SlidingWindow):
        return ()
    q, kv = mixer.num_attention_heads, mixer.num_key_value_heads
    shard: Shard = "column"
    rows = (
        ("q_proj", q * mixer.head_dim, q),
        ("k_proj", kv * mixer.head_dim, kv),
        ("v_proj", kv * mixer.head_dim_v, kv),
    )
    hidden = architecture.hidden_size
    return (
        *(
            Matrix(
                name=f"layers.0.self_attn.{name}", rows=size, columns=hidden, shard=shard, units=units, part="attention"
            )
            for name, size, units in rows
        ),
        Matrix(name="layers.0.hidden_norm", rows=hidden, part="other", linear=False),
    )
