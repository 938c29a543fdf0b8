"""Architecture: the shapes of a model, independent of how a checkpoint stores them."""

from __future__ import annotations

from functools import cached_property
from typing import Self

from pydantic import model_validator

from generator.models.attention import Mixer
from generator.models.feed_forward import FeedForward
from generator.models.value import Value


class Layer(Value):
    """One decoder layer: its token mixer and its feed-forward block, either absent where None."""

    mixer: Mixer | None = None
    feed_forward: FeedForward | None = None
    norms: int = 2
    """RMS norms of `hidden_size` in the layer."""


class LayerRun(Value):
    """`count` consecutive layers of kind `kind`, an index into `Architecture.layer_kinds`."""

    kind: int
    count: int


class Architecture(Value):
    """Shapes of one model, by Transformers' config names."""

    model_type: str
    architecture: str
    """The class named in config.json's `architectures`."""
    hidden_size: int
    vocab_size: int
    max_position_embeddings: int
    """The context that vLLM derives from config.json, scaled RoPE included."""
    tie_word_embeddings: bool
    layer_kinds: tuple[Layer, ...]
    layer_pattern: str
    """Layers in order as `kind*count` words: `0*5 1 0*5 1`."""
    dtype: str = "bfloat16"
    """The checkpoint's own computing dtype, as vLLM's `dtype=auto` reads it."""

    @cached_property
    def runs(self) -> tuple[LayerRun, ...]:
        """The layer pattern, parsed."""
        words = (word.partition("*") for word in self.layer_pattern.split())
        return tuple(LayerRun(kind=int(kind), count=int(count or 1)) for kind, _, count in words)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Every decoder layer in order."""
        return tuple(self.layer_kinds[run.kind] for run in self.runs for _ in range(run.count))

    @property
    def num_hidden_layers(self) -> int:
        """Decoder layers."""
        return len(self.layers)

    @model_validator(mode="after")
    def _pattern_names_known_kinds(self) -> Self:
        if any(not 0 <= run.kind < len(self.layer_kinds) for run in self.runs):
            raise ValueError(f"layer_pattern {self.layer_pattern!r} names a kind that layer_kinds lacks")
        return self
