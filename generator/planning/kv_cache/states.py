"""States of recurrent layers on one rank: shapes, dtypes, and the checkpoints that prefix caching keeps.

Shapes and dtypes are vLLM 0.32 model_executor/layers/mamba/mamba_utils.py's.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

from generator.errors import RequestError
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
from generator.models.release import release_key
from generator.planning.kinds.unknown import unknown_kind
from generator.planning.kv_cache.specs import DTYPE_BYTES

if TYPE_CHECKING:
    from generator.planning.kv_cache.settings import CacheSettings

StateMixer = Mamba1 | Mamba2 | GatedDeltaNet | KimiDeltaAttention | LinearAttention | ShortConv

_SM90 = 90
_GDN_CHECKPOINT_TOKENS = 64
"""FlashInfer's gated-delta prefill exports states at multiples of it (vLLM 0.33 backends/gdn_attn.py:34)."""
_GDN_CHECKPOINTS_SINCE = (0, 33)
_KERNEL_HEAD_DIM = 128


def state_mixer(mixer: Mixer | None) -> StateMixer | None:
    """The part of a mixer that keeps a state, None where none does."""
    match mixer:
        case Parallel():
            return mixer.state_space
        case Mamba1() | Mamba2() | GatedDeltaNet() | KimiDeltaAttention() | LinearAttention() | ShortConv():
            return mixer
        case FullAttention() | SlidingWindow() | ChunkedLocal() | EncoderOnly() | CrossAttention():
            return None
        case MLA() | CompressedMLA() | SelfAndCross() | None:
            return None
        case _:
            raise unknown_kind(mixer, "whether it keeps a state")


class State(NamedTuple):
    """One request's state in one layer on one rank."""

    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[str, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of all its tensors."""
        return sum(prod(s) * DTYPE_BYTES[d] for s, d in zip(self.shapes, self.dtypes, strict=True))


def state_of(mixer: StateMixer, *, tp: int, dtype: str, settings: CacheSettings) -> State:
    """The state of one layer on one of `tp` ranks.

    Raises:
        RequestError: the heads do not divide over the ranks.
    """
    conv = dtype if settings.mamba_cache_dtype == "auto" else settings.mamba_cache_dtype
    shapes = _shapes(mixer, tp, settings.num_speculative_tokens)
    if isinstance(mixer, LinearAttention | ShortConv):
        return State(shapes, (conv,))
    recurrent = settings.mamba_ssm_cache_dtype
    if recurrent == "auto":
        # Kimi delta attention keeps float32 unless asked otherwise (mamba_utils.py: kda_state_dtype).
        recurrent = "float32" if isinstance(mixer, KimiDeltaAttention) else mixer.state_dtype or conv
    return State(shapes, (conv, recurrent))


def _shapes(mixer: StateMixer, tp: int, draft: int) -> tuple[tuple[int, ...], ...]:
    """Shapes of a state on one rank; a convolution keeps `draft` steps more for speculation."""
    match mixer:
        case Mamba1():
            width = divide(mixer.intermediate_size, tp, "state channels")
            return ((mixer.conv_kernel - 1, width), (width, mixer.state_size))
        case Mamba2():
            return _mamba2_shapes(mixer, tp, draft)
        case GatedDeltaNet():
            channels = 2 * mixer.num_k_heads * mixer.head_k_dim + mixer.num_v_heads * mixer.head_v_dim
            heads = divide(mixer.num_v_heads, tp, "value heads of the linear attention")
            convolution = (mixer.conv_kernel - 1 + draft, divide(channels, tp, "state channels"))
            return (convolution, (heads, mixer.head_v_dim, mixer.head_k_dim))
        case KimiDeltaAttention():
            heads = divide(mixer.num_heads, tp, "heads of the linear attention")
            convolution = (mixer.conv_kernel - 1 + draft, 3 * heads * mixer.head_dim)
            return (convolution, (heads, mixer.head_dim, mixer.head_dim))
        case LinearAttention():
            heads = divide(mixer.num_heads, tp, "heads of the linear attention")
            return ((heads, mixer.head_dim, mixer.head_dim),)
        case ShortConv():
            return ((mixer.conv_kernel - 1 + draft, divide(mixer.conv_dim, tp, "state channels")),)
        case _:
            raise unknown_kind(mixer, "what state it keeps")


def _mamba2_shapes(mixer: Mamba2, tp: int, draft: int) -> tuple[tuple[int, ...], ...]:
    groups = mixer.n_groups if mixer.n_groups % tp == 0 else tp
    channels = mixer.intermediate_size + 2 * groups * mixer.state_size
    heads = divide(mixer.num_heads, tp, "state-space heads")
    convolution = (mixer.conv_kernel - 1 + draft, divide(channels, tp, "state channels"))
    return (convolution, (heads, mixer.head_dim, mixer.state_size))


def divide(size: int, parts: int, what: str) -> int:
    """`size / parts` where it divides.

    Raises:
        RequestError: it does not.
    """
    if size % parts:
        raise RequestError(
            f"{size} {what} do not divide over tensor parallel size {parts}; choose a size that divides {size}"
        )
    return size // parts


def checkpoint_blocks(mixer: StateMixer, dtype: str, settings: CacheSettings) -> int:
    """States that a prefill keeps at block boundaries beside the running one, where its kernel exports them.

    vLLM 0.32: mamba_mixer2.py:1098 and kimi_k3/nvidia/kda.py:829; gated delta nets since 0.33.
    """
    if isinstance(mixer, Mamba2):
        return 1
    if isinstance(mixer, KimiDeltaAttention):
        return int(_flash_kda(mixer, dtype, settings))
    return int(isinstance(mixer, GatedDeltaNet) and _flashinfer_gdn(mixer, settings))


def checkpoint_alignment(mixer: StateMixer, settings: CacheSettings) -> int:
    """Tokens that a block is a multiple of, so that such states fall on block boundaries; 1 for any."""
    return _GDN_CHECKPOINT_TOKENS if isinstance(mixer, GatedDeltaNet) and _flashinfer_gdn(mixer, settings) else 1


def _flash_kda(mixer: KimiDeltaAttention, dtype: str, settings: CacheSettings) -> bool:
    return (
        settings.capability // 10 in {9, 10, 12}
        and mixer.head_dim == _KERNEL_HEAD_DIM
        and dtype == "bfloat16"
        and mixer.gate_lower_bound is not None
    )


def _flashinfer_gdn(mixer: GatedDeltaNet, settings: CacheSettings) -> bool:
    """Whether FlashInfer runs the prefill; OLMo Hybrid's class has a kernel of its own (olmo_gdn_linear_attn.py)."""
    if mixer.named_apart or release_key(settings.release) < _GDN_CHECKPOINTS_SINCE:
        return False
    if settings.capability == _SM90:
        return True
    return settings.capability // 10 in {10, 12} and mixer.head_k_dim == _KERNEL_HEAD_DIM
