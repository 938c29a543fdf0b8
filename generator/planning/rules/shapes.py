"""Shapes that the rules of starting are about: attention blocks and recurrent heads of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.attention import (
    MLA,
    ChunkedLocal,
    CompressedMLA,
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

if TYPE_CHECKING:
    from generator.models.architecture import Architecture

Attention = FullAttention | SlidingWindow | ChunkedLocal | MLA | CompressedMLA


def attention_mixers(architecture: Architecture) -> tuple[Attention, ...]:
    """The distinct attention blocks of the decoder layers."""
    found: list[Attention] = []
    for kind in architecture.layer_kinds:
        match kind.mixer:
            case Parallel():
                found.append(kind.mixer.attention)
            case SelfAndCross():
                found.append(kind.mixer.self_attention)
            case FullAttention() | SlidingWindow() | ChunkedLocal() | MLA() | CompressedMLA():
                found.append(kind.mixer)
            case _:
                pass
    return tuple(found)


def state_heads(mixer: Mixer | None) -> int:
    """Heads or channels of a mixer's state that must divide over ranks, 0 where it keeps none."""
    match mixer:
        case Parallel():
            return mixer.state_space.num_heads
        case Mamba2() | KimiDeltaAttention() | LinearAttention():
            return mixer.num_heads
        case GatedDeltaNet():
            return mixer.num_v_heads
        case Mamba1():
            return mixer.intermediate_size
        case ShortConv():
            return mixer.conv_dim
        case _:
            return 0
