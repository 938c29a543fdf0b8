"""From a mixer to its kind: a ladder over the union, which the type checker holds complete."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from generator.models.architecture import Architecture
from generator.models.attention import (
    MLA,
    ChunkedLocal,
    CompressedMLA,
    CrossAttention,
    EncoderOnly,
    FullAttention,
    GatedDeltaNet,
    KimiDeltaAttention,
    LinearAttention,
    Mamba1,
    Mamba2,
    Mixer,
    Parallel,
    SelfAndCross,
    ShortConv,
    SlidingWindow,
)
from generator.planning.kinds.compressed import Compressed
from generator.planning.kinds.kind import unknown_kind
from generator.planning.kinds.latent import latent_kind
from generator.planning.kinds.linear import linear_attention_kind
from generator.planning.kinds.parallel import SelfThenCross, SideBySide
from generator.planning.kinds.softmax import softmax_kind
from generator.planning.kinds.states import state_space_kind

if TYPE_CHECKING:
    from generator.planning.kinds.kind import Attention, Kind, StateKind


@lru_cache(maxsize=256)
def of(mixer: Mixer) -> Kind:
    """The kind of a mixer.

    Raises:
        UnsupportedArchitectureError: no room knows it.
    """
    match mixer:
        case FullAttention() | SlidingWindow() | ChunkedLocal() | EncoderOnly() | CrossAttention():
            return softmax_kind(mixer)
        case MLA():
            return latent_kind(mixer)
        case CompressedMLA():
            return Compressed(mixer)
        case Mamba1() | Mamba2() | ShortConv():
            return state_space_kind(mixer)
        case GatedDeltaNet() | KimiDeltaAttention() | LinearAttention():
            return linear_attention_kind(mixer)
        case Parallel():
            return SideBySide(mixer)
        case SelfAndCross():
            return SelfThenCross(mixer)
        case _:
            raise unknown_kind(mixer, "what to plan")


def kinds_of(architecture: Architecture) -> Iterator[Kind]:
    """Kinds of the distinct decoder layers that have a mixer, in the order of `layer_kinds`."""
    return (of(layer.mixer) for layer in architecture.layer_kinds if layer.mixer is not None)


def attentions_of(architecture: Architecture) -> Iterator[Attention]:
    """The distinct attention blocks of the decoder layers."""
    return (one for kind in kinds_of(architecture) for one in kind.attentions())


def states_of(architecture: Architecture) -> Iterator[StateKind]:
    """The distinct states of the decoder layers."""
    found = (kind.state() for kind in kinds_of(architecture))
    return (state for state in found if state is not None)


def keeps_cache(architecture: Architecture) -> bool:
    """Whether any layer keeps tokens or a state."""
    return any(any(one.cached()) for one in attentions_of(architecture)) or any(states_of(architecture))


def is_hybrid(architecture: Architecture) -> bool:
    """Whether attention and states are mixed (vLLM 0.32 config/model.py:2023)."""
    kinds = tuple(kinds_of(architecture))
    return any(kind.state() for kind in kinds) and any(kind.attentions() for kind in kinds)
