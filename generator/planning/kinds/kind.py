"""What the planner asks of a kind of mixer; whoever adds a kind is asked for each of these by the type checker."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from generator.models.matrix import Matrix
    from generator.models.speed import KVRead


class Kind(ABC):
    """The mixer of a layer: its matrices, and the attention blocks and the state that it is made of."""

    shared_attention = False
    """True where layers share the attention's weights, which then lie outside them."""

    @abstractmethod
    def matrices(self, hidden_size: int) -> Iterable[Matrix]:
        """Tensors of the mixer in a layer `hidden_size` wide, unsharded."""

    @abstractmethod
    def attentions(self) -> tuple[Attention, ...]:
        """Its attention blocks, in the order in which vLLM registers them."""

    @abstractmethod
    def state(self) -> State | None:
        """The state that it keeps; None where it keeps none."""


class Attention(Kind):
    """One attention block: queries that meet the keys of other tokens."""

    shares_kv_cache = False
    """True where the layer reads the cache of an earlier layer of its kind and keeps none."""
    runs_again = False
    """True where the layer runs an earlier layer's weights and holds none of its own."""
    windowed = False
    """True where it attends within a window or a chunk, which no ranks can share."""
    sparse = False
    """True where it attends to picked or compressed tokens, which takes workspaces of its own."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The kind's name."""

    @property
    @abstractmethod
    def heads(self) -> int:
        """Query heads, which tensor parallelism divides."""

    @property
    @abstractmethod
    def kv_heads(self) -> int | None:
        """Key and value heads; None where one latent serves all query heads and every rank keeps it whole."""

    @abstractmethod
    def reads(self, tensor_parallel_size: int, kv_bytes: float) -> Iterator[KVRead]:
        """What one decode step reads of its cache for one sequence on one rank; `kv_bytes` is an element's size."""

    @property
    @abstractmethod
    def exchanged_width(self) -> int:
        """Numbers of one head that ranks exchange for one token where they share caches: its query and its output."""

    def attentions(self) -> tuple[Attention, ...]:
        """Itself."""
        return (self,)

    def state(self) -> State | None:
        """None."""
        return None


class State(Kind):
    """A recurrent layer: what it keeps of a sequence does not grow with it."""

    @property
    @abstractmethod
    def divisible(self) -> int:
        """Heads or channels of the state, which tensor parallelism divides."""

    @property
    @abstractmethod
    def elements(self) -> int:
        """Numbers of the recurrent state, which each step reads and writes back; a convolution's few do not count."""

    @property
    @abstractmethod
    def in_float32(self) -> bool:
        """Whether the model asks for the recurrent state in float32."""

    def attentions(self) -> tuple[Attention, ...]:
        """None."""
        return ()

    def state(self) -> State | None:
        """Itself."""
        return self
