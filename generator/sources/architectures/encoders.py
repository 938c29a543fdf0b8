"""Encoders without a head: BERT and its relatives, which vLLM serves for embeddings and scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.attention import Mixers
from generator.models.feed_forward import Dense
from generator.models.matrix import Matrix
from generator.sources.architectures.blocks import dense, layer_count
from generator.sources.architectures.decoder import Decoder, stack

if TYPE_CHECKING:
    from generator.sources.architectures.fields import Config


def bert_decoder(text: Config, found: Mixers) -> Decoder:
    """BERT and RoBERTa: biases everywhere, tables of positions and token types (vLLM 0.32 bert.py, roberta.py)."""
    layers = tuple(
        layer.model_copy(
            update={"mixer": layer.mixer.model_copy(update={"qkv_bias": True, "output_bias": True})}
            if layer.mixer
            else {}
        )
        for layer in stack(found, (dense(text, gated=False, bias=True),) * layer_count(text))
    )
    hidden = int(text["hidden_size"])
    tables = (
        _table("position_embeddings", int(text["max_position_embeddings"]), hidden),
        _table("token_type_embeddings", int(text.get("type_vocab_size") or 2), hidden),
    )
    return Decoder(layers=layers, extra=tables, norm_bias=True, lm_head=False, tied=True)


def _table(name: str, rows: int, columns: int) -> Matrix:
    """An embedding table beside the tokens' own, padded and split as that is."""
    return Matrix(name=name, rows=rows, columns=columns, shard="vocab", part="embed", linear=False)


def modernbert_decoder(text: Config, found: Mixers) -> Decoder:
    """ModernBERT: gated networks, norms without biases unless `norm_bias`, one in the first layer (modernbert.py)."""
    bias = bool(text.get("mlp_bias"))
    block = Dense(intermediate_size=int(text["intermediate_size"]), gated=True, bias=bias)
    norm = Matrix(name="embeddings.norm", rows=int(text["hidden_size"]), part="other", linear=False)
    first, *others = stack(found, (block,) * layer_count(text))
    return Decoder(
        layers=(first.model_copy(update={"norms": 1}), *others),
        extra=(norm,), norm_bias=bool(text.get("norm_bias")), lm_head=False, tied=True,
    )  # fmt: skip


def whisper_decoder(text: Config, found: Mixers) -> Decoder:
    """Whisper's decoder: self and cross attention, learned positions (vLLM 0.32 whisper.py)."""
    hidden = int(text["d_model"])
    block = Dense(intermediate_size=int(text["decoder_ffn_dim"]), gated=False, bias=True)
    positions = Matrix(
        name="embed_positions", rows=int(text["max_target_positions"]), columns=hidden, part="embed", linear=False
    )
    layers = stack(found, (block,) * int(text["decoder_layers"]), norms=3)
    return Decoder(layers=layers, extra=(positions,), norm_bias=True, tied=True, embed_whole=True)
