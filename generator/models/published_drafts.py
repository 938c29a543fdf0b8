"""Published drafts: heads that exist for a model, their shapes, and the tokens a step that were measured of them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from generator.models.checkpoint import ModelFacts
from generator.models.draft_heads import Taps, dflash_head, eagle3_head
from generator.models.speculation import tokens_per_step
from generator.models.value import Value

if TYPE_CHECKING:
    from generator.models.architecture import Architecture

_UNBOUNDED = 2**24
"""Context of a head whose config.json was not read as far as that: longer than any model's."""
_CLOSE = 1e-6


class HeadShapes(Value):
    """Shapes of a head by the fields of its config.json."""

    architecture: str
    model_type: str = "llama"
    num_hidden_layers: int = Field(1, ge=1)
    hidden_size: int = Field(ge=1)
    intermediate_size: int = Field(ge=1)
    num_attention_heads: int = Field(ge=1)
    num_key_value_heads: int = Field(ge=1)
    head_dim: int = Field(ge=1)
    vocab_size: int = Field(ge=1)
    """Its target's."""
    draft_vocab_size: int | None = None
    """Its own, where that is smaller."""
    states: int = Field(3, ge=1)
    """Layers of the target whose states it reads."""
    norms: int = 0
    """Norms before these are joined, each as wide as one state."""
    max_position_embeddings: int | None = None
    """Tokens that it reads at most; None where no source says it."""
    source: str = Field(min_length=1)

    @property
    def plain(self) -> dict[str, Any]:
        """The fields of an `Architecture` of its layers alone."""
        attention = {"kind": "full", "head_dim_v": self.head_dim, "qk_norm": self.model_type == "qwen3"}
        attention |= {name: getattr(self, name) for name in ("num_attention_heads", "num_key_value_heads", "head_dim")}
        block = {"kind": "dense", "intermediate_size": self.intermediate_size}
        return {
            "model_type": self.model_type,
            "architecture": self.architecture,
            "hidden_size": self.hidden_size,
            "vocab_size": self.vocab_size,
            "max_position_embeddings": self.max_position_embeddings or _UNBOUNDED,
            "tie_word_embeddings": False,
            "layer_kinds": ({"mixer": attention, "feed_forward": block},),
            "layer_pattern": f"0*{self.num_hidden_layers}",
        }

    @property
    def least_bytes(self) -> int:
        """Bytes of its layers' feed-forward blocks alone, in 16 bits: what it takes at least."""
        return 2 * 3 * self.num_hidden_layers * self.hidden_size * self.intermediate_size

    def built(self, plain: Architecture) -> Architecture:
        """What vLLM builds of it around these layers, without what it borrows from its target."""
        if self.architecture == "DFlashDraftModel":
            return dflash_head(plain, Taps(self.states), self.draft_vocab_size)
        return eagle3_head(plain, Taps(self.states, self.hidden_size, self.norms), self.draft_vocab_size)


class Kept(Value):
    """What was measured of a draft: the tokens that a step gives, the target's own among them."""

    length: float = Field(gt=1)
    """The least of the means that its source gives, by kind of text."""
    tokens: int = Field(ge=1)
    """Tokens drafted a step in that measurement."""
    source: str = Field(min_length=1)

    @cached_property
    def rate(self) -> float:
        """The chance that a drafted token is kept, which gives this length."""
        low, high = 0.0, 1.0
        while high - low > _CLOSE:
            middle = (low + high) / 2
            longer = tokens_per_step(middle, self.tokens) > self.length
            low, high = (low, middle) if longer else (middle, high)
        return low


class PublishedDraft(Value):
    """One head that is published for one model, or the draft layers that the model ships itself."""

    model: str = Field(min_length=1)
    """Hub id of the model that it drafts for."""
    draft: str = Field(min_length=1)
    """Hub id of the head; the model's own for layers that it ships."""
    method: Literal["eagle", "eagle3", "dflash", "mtp"]
    tokens: int = Field(ge=1)
    """Tokens that its publisher drafts a step."""
    source: str = Field(min_length=1)
    shapes: HeadShapes | None = None
    """None where its config.json was not read, or the model's own is."""
    kept: Kept | None = None
    """None where no source measured it."""

    @cached_property
    def facts(self) -> ModelFacts | None:
        """What a plan is told about the head without the Hub; None where its shapes are not known."""
        if self.shapes is None:
            return None
        told = {"id": self.draft, "source": "embedded", "architecture": self.shapes.plain}
        facts = ModelFacts.model_validate(told | {"revision": None, "checkpoint": {}})
        return facts.model_copy(update={"architecture": self.shapes.built(facts.architecture)})
