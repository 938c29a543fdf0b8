"""Every tensor of a model as values: `modules` lists what vLLM builds, unsharded."""

from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

from generator.models.architecture import Architecture, Layer, Tower
from generator.models.matrix import Matrix, Shard
from generator.models.value import Made
from generator.planning.kinds.of import of
from generator.planning.weights.feed_forwards import feed_forward_matrices

Place = Literal["layer", "first", "last", "ends", "every"]
"""Pipeline stages that hold a module: its layer's, the first, the last, both of them, or all."""


POSITIONS = "positions"
"""A learned table of positions, which lies beside the embedding (vLLM 0.32 gpt2.py, opt.py, transformers/base.py)."""


class WeightModule(Made):
    """One matrix and where it lies: in `layers` of the decoder, or once on a stage that `place` names."""

    name: str
    """Full name; `{L}` stands for the layer's number."""
    other_name: str = ""
    """The name of a draft's module where its class counts draft layers by themselves (vLLM qwen3_5_mtp.py)."""
    matrix: Matrix
    place: Place = "layer"
    layers: tuple[int, ...] = ()
    """Decoder layers that hold the matrix, in order; of one that they share, those that run it."""
    count: int = 1
    """Equal modules outside the decoder, such as a tower's blocks."""


@lru_cache(maxsize=64)
def modules(architecture: Architecture, drafts: int = 0) -> tuple[WeightModule, ...]:
    """Every tensor of the model, `drafts` of its multi-token-prediction layers included, unsharded."""
    return (
        *_embedding(architecture),
        *_decoder(architecture),
        *_shared(architecture),
        *_towers(architecture),
        *_drafts(architecture, drafts),
    )


def layer_matrices(layer: Layer, architecture: Architecture) -> tuple[Matrix, ...]:
    """Tensors of one decoder layer, unsharded."""
    hidden = architecture.hidden_size
    norms = Matrix(
        name="norms", rows=hidden, copies=layer.norms, bias=architecture.norm_bias, part="other", linear=False
    )
    return (
        *_mixer_matrices(layer, hidden),
        *feed_forward_matrices(layer.feed_forward, hidden),
        *layer.extra,
        norms,
    )


def _mixer_matrices(layer: Layer, hidden_size: int) -> Iterator[Matrix]:
    """Tensors of a layer's mixer, below the name that the checkpoint gives it."""
    if layer.mixer is not None:
        for matrix in of(layer.mixer).matrices(hidden_size):
            yield matrix.model_copy(update={"name": f"{layer.mixer_name}.{matrix.name}"})


def _decoder(architecture: Architecture) -> Iterator[WeightModule]:
    held: dict[int, list[int]] = defaultdict(list)
    start = 0
    for run in architecture.runs:
        held[run.kind] += range(start, start + run.count)
        start += run.count
    for kind, layers in held.items():
        layer = architecture.layer_kinds[kind]
        again = layer.mixer is not None and any(one.runs_again for one in of(layer.mixer).attentions())
        for matrix in layer_matrices(layer, architecture):
            name = f"{architecture.layers_name}.{{L}}.{matrix.name}"
            if again:
                yield WeightModule(name=name, matrix=matrix, place="first", layers=tuple(layers), count=0)
            else:
                yield WeightModule(name=name, matrix=matrix, layers=tuple(layers))


def _shared(architecture: Architecture) -> Iterator[WeightModule]:
    """Blocks that hybrid layers share: held once each, run by every one of these layers."""
    running = tuple(
        number
        for number, layer in enumerate(architecture.layers)
        if layer.mixer is not None and of(layer.mixer).shared_attention
    )
    for matrix in architecture.shared:
        one = matrix.model_copy(update={"copies": 1})
        yield WeightModule(name=f"model.{matrix.name}", matrix=one, place="first", layers=running, count=matrix.copies)


def _embedding(architecture: Architecture) -> Iterator[WeightModule]:
    """Embedding on the first stage, and on the last where the head is tied; norm and head on the last.

    Some of vLLM's classes build embedding or head without asking for the stage.
    """
    hidden, vocab = architecture.hidden_size, architecture.vocab_size
    split: Shard = "replicated" if architecture.embed_whole else "vocab"
    embed = Matrix(name="embed_tokens", rows=vocab, columns=hidden, shard=split, part="embed", linear=False)
    norm = Matrix(name="norm", rows=hidden, bias=architecture.norm_bias, part="other", linear=False)
    ends: Place = "ends" if architecture.tie_word_embeddings else "first"
    embeds: Place = "every" if architecture.embed_every_stage else ends
    if architecture.embedding:
        yield WeightModule(name="model.embed_tokens", matrix=embed, place=embeds)
    yield WeightModule(name="model.norm", matrix=norm, place="last")
    for matrix in architecture.extra:
        place = embeds if matrix.name == POSITIONS else "first"
        yield WeightModule(name=f"model.{matrix.name}", matrix=matrix, place=place)
    if architecture.lm_head and not architecture.tie_word_embeddings:
        head = Matrix(
            name="lm_head", rows=vocab, columns=hidden, shard="vocab", part="lm_head",
            bias=architecture.lm_head_bias,
        )  # fmt: skip
        yield WeightModule(name="lm_head", matrix=head, place="every" if architecture.head_every_stage else "last")


def _towers(architecture: Architecture) -> Iterator[WeightModule]:
    """Towers, which every pipeline stage builds (vLLM 0.32: no multimodal class asks for the stage)."""
    for tower in architecture.towers:
        for matrix, count in _tower_matrices(tower):
            yield WeightModule(name=f"{tower.name}.{matrix.name}", matrix=matrix, place="every", count=count)


def _tower_matrices(tower: Tower) -> Iterator[tuple[Matrix, int]]:
    yield from ((matrix, tower.count) for matrix in tower.block)
    yield from ((matrix, 1) for matrix in tower.outer)


def _drafts(architecture: Architecture, count: int) -> Iterator[WeightModule]:
    for number, layer in enumerate(architecture.drafts[:count], start=architecture.num_hidden_layers):
        for matrix in layer_matrices(layer, architecture):
            name = f"{architecture.layers_name}.{number}.{matrix.name}"
            own = f"mtp.layers.{number - architecture.num_hidden_layers}.{matrix.name}"
            yield WeightModule(name=name, other_name=own, matrix=matrix, place="last")
