"""Layers of two mixers: attention beside a state space, self-attention before attention to an encoder."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from generator.models.attention import Parallel, SelfAndCross
from generator.models.matrix import Matrix
from generator.planning.kinds.kind import Kind
from generator.planning.kinds.softmax import Cross, Full
from generator.planning.kinds.states import StateSpace

if TYPE_CHECKING:
    from generator.planning.kinds.kind import Attention, StateKind


class SideBySide(Kind):
    """Attention and a state space that read the same input, each with its own cache."""

    def __init__(self, mixer: Parallel) -> None:
        self.shared_attention = mixer.shared_attention
        self._attention, self._state = Full(mixer.attention), StateSpace(mixer.state_space)

    def matrices(self, hidden_size: int) -> Iterable[Matrix]:
        """Both mixers' tensors; attention that layers share lies outside them."""
        attention = () if self.shared_attention else self._attention.matrices(hidden_size)
        return (*attention, *self._state.matrices(hidden_size))

    def attentions(self) -> tuple[Attention, ...]:
        """The attention."""
        return (self._attention,)

    def state(self) -> StateKind | None:
        """The state space."""
        return self._state


class SelfThenCross(Kind):
    """A decoder layer's self-attention, then its attention to an encoder."""

    def __init__(self, mixer: SelfAndCross) -> None:
        self._self, self._cross = Full(mixer.self_attention), Cross(mixer.cross_attention)

    def matrices(self, hidden_size: int) -> Iterable[Matrix]:
        """Tensors of both."""
        return (*self._self.matrices(hidden_size), *self._cross.matrices(hidden_size))

    def attentions(self) -> tuple[Attention, ...]:
        """Both, the layer's own first."""
        return (self._self, self._cross)

    def state(self) -> StateKind | None:
        """None."""
        return None
