"""Gemma 3n and the small Gemma 4: an input of its own for each layer, networks of two widths (vLLM 0.32 gemma3n.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.matrix import Matrix
from generator.sources.architectures.blocks import dense, layer_count
from generator.sources.architectures.decoder import Decoder, stack
from generator.sources.architectures.fields import Config, integer
from generator.sources.architectures.moe import gemma4_decoder

if TYPE_CHECKING:
    from generator.models.architecture import Layer
    from generator.models.attention import Mixers


def layered_gemma4_decoder(text: Config, found: Mixers) -> Decoder:
    """Gemma 4; layers that read an earlier layer's cache may have networks twice as wide (gemma4.py)."""
    decoder = gemma4_decoder(text, found)
    shared = int(text.get("num_kv_shared_layers") or 0)
    layers = decoder.layers
    if text.get("use_double_wide_mlp") and shared:
        wide = dense({**text, "intermediate_size": 2 * int(text["intermediate_size"])})
        layers = (
            *layers[:-shared],
            *(layer.model_copy(update={"feed_forward": wide}) for layer in layers[-shared:]),
        )
    if not text.get("hidden_size_per_layer_input"):
        return decoder._replace(layers=layers)
    return decoder._replace(layers=_with_inputs(text, layers), extra=_input_tables(text))


def gemma3n_decoder(text: Config, found: Mixers) -> Decoder:
    """Gemma 3n: several residual streams, a low-rank path beside each block (gemma3n.py)."""
    filled = {"hidden_size_per_layer_input": 256, "laurel_rank": 64, "altup_num_inputs": 4, **text}
    hidden, rank, streams = (integer(filled, key) for key in ("hidden_size", "laurel_rank", "altup_num_inputs"))
    plain = stack(found, (dense(filled),) * layer_count(filled), norms=7)
    small = streams * streams * (1 + streams) + streams * hidden
    extra = (
        Matrix(name="laurel.linear_left", rows=rank, columns=hidden, shard="column", part="dense"),
        Matrix(name="laurel.linear_right", rows=hidden, columns=rank, shard="row", part="dense"),
        Matrix(name="altup", rows=small, part="other", linear=False),
    )
    layers = tuple(layer.model_copy(update={"extra": extra}) for layer in plain)
    projections = Matrix(
        name="altup_projections", rows=hidden, columns=hidden, shard="column", part="other", copies=2 * (streams - 1),
        linear=False,
    )  # fmt: skip
    return Decoder(layers=_with_inputs(filled, layers), extra=(*_input_tables(filled), projections), tied=True)


def _with_inputs(text: Config, layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """The layers with the gate and the projection of their own input, and a norm behind them."""
    hidden, width = integer(text, "hidden_size"), integer(text, "hidden_size_per_layer_input")
    extra = (
        Matrix(name="per_layer_input_gate", rows=width, columns=hidden, part="dense"),
        Matrix(name="per_layer_projection", rows=hidden, columns=width, part="dense"),
    )
    return tuple(
        layer.model_copy(update={"norms": layer.norms + 1, "extra": (*layer.extra, *extra)}) for layer in layers
    )


def _input_tables(text: Config) -> tuple[Matrix, ...]:
    """An embedding table of all layers' inputs, and the projection of the token's own embedding to them."""
    width = integer(text, "hidden_size_per_layer_input")
    vocab = integer(text, "vocab_size_per_layer_input", default=262144)
    columns = width * layer_count(text)
    return (
        Matrix(
            name="embed_tokens_per_layer", rows=vocab, columns=columns, shard="vocab", part="embed", linear=False
        ),
        Matrix(
            name="per_layer_model_projection", rows=columns, columns=integer(text, "hidden_size"), shard="column",
            part="dense",
        ),
        Matrix(name="per_layer_projection_norm", rows=width, part="other", linear=False),
    )  # fmt: skip
