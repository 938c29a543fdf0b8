"""Shapes that the rules of starting are about: attention blocks and recurrent heads of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from generator.planning.kinds.unknown import unknown_kind

if TYPE_CHECKING:
    from generator.models.architecture import Architecture

Attention = FullAttention | SlidingWindow | ChunkedLocal | EncoderOnly | CrossAttention | MLA | CompressedMLA


def attention_mixers(architecture: Architecture) -> tuple[Attention, ...]:
    """The distinct attention blocks of the decoder layers."""
    found: list[Attention] = []
    for kind in architecture.layer_kinds:
        match kind.mixer:
            case Parallel():
                found.append(kind.mixer.attention)
            case SelfAndCross():
                found += [kind.mixer.self_attention, kind.mixer.cross_attention]
            case FullAttention() | SlidingWindow() | ChunkedLocal() | EncoderOnly() | CrossAttention():
                found.append(kind.mixer)
            case MLA() | CompressedMLA():
                found.append(kind.mixer)
            case Mamba1() | Mamba2() | GatedDeltaNet() | KimiDeltaAttention() | LinearAttention() | ShortConv() | None:
                pass
            case _:
                raise unknown_kind(kind.mixer, "what heads it has")
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
        case FullAttention() | SlidingWindow() | ChunkedLocal() | EncoderOnly() | CrossAttention():
            return 0
        case MLA() | CompressedMLA() | SelfAndCross() | None:
            return 0
        case _:
            raise unknown_kind(mixer, "how its state divides")
