"""Linear attention: gated delta nets, Kimi delta attention, lightning attention."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.attention import GatedDeltaNet, KimiDeltaAttention, LinearAttention
from generator.models.dtype import DType
from generator.planning.kinds.kind import State
from generator.planning.kinds.tensors import projection, unquantized
from generator.planning.kinds.unknown import unknown_kind

if TYPE_CHECKING:
    from generator.models.matrix import Matrix


class GatedDelta(State):
    """Gated delta rule."""

    def __init__(self, mixer: GatedDeltaNet) -> None:
        self.mixer = mixer

    @property
    def divisible(self) -> int:
        """Value heads."""
        return self.mixer.num_v_heads

    @property
    def elements(self) -> int:
        """A matrix of keys and values for each value head."""
        return self.mixer.num_v_heads * self.mixer.head_k_dim * self.mixer.head_v_dim

    @property
    def in_float32(self) -> bool:
        """Whether config.json asks for it."""
        return self.mixer.state_dtype == "float32"

    def matrices(self, hidden_size: int) -> tuple[Matrix, ...]:
        """Gated delta net (vLLM mamba/gdn/qwen_gdn_linear_attn.py)."""
        mixer = self.mixer
        keys, values = mixer.num_k_heads * mixer.head_k_dim, mixer.num_v_heads * mixer.head_v_dim
        if mixer.named_apart:
            return _named_apart(mixer, keys, values, hidden_size)
        return (
            projection("in_proj_qkv", 2 * keys + values, hidden_size, "column"),
            projection("in_proj_z", values, hidden_size, "column"),
            projection("in_proj_b", mixer.num_v_heads, hidden_size, "column"),
            projection("in_proj_a", mixer.num_v_heads, hidden_size, "column"),
            unquantized("conv1d", 2 * keys + values, mixer.conv_kernel),
            projection("out_proj", hidden_size, values, "row"),
            unquantized("A_log", mixer.num_v_heads, dtype=DType.F32),
            unquantized("dt_bias", mixer.num_v_heads),
            unquantized("norm", mixer.head_v_dim, shard="replicated"),
        )


class KimiDelta(State):
    """Kimi delta attention."""

    def __init__(self, mixer: KimiDeltaAttention) -> None:
        self.mixer = mixer

    @property
    def divisible(self) -> int:
        """Heads."""
        return self.mixer.num_heads

    @property
    def elements(self) -> int:
        """A square matrix for each head."""
        return self.mixer.num_heads * self.mixer.head_dim**2

    @property
    def in_float32(self) -> bool:
        """Whether config.json asks for it."""
        return self.mixer.state_dtype == "float32"

    def matrices(self, hidden_size: int) -> tuple[Matrix, ...]:
        """Kimi delta attention (vLLM models/kimi_linear.py, layers/kda.py)."""
        mixer = self.mixer
        size, inner = mixer.head_dim, mixer.num_heads * mixer.head_dim
        gate = _gate("g", inner, size, hidden_size, full=mixer.full_rank_gate)
        decay = _gate("f", inner, size, hidden_size, full=mixer.full_rank_decay)
        return (
            *(projection(f"{name}_proj", inner, hidden_size, "column") for name in "qkv"),
            *(unquantized(f"{name}_conv1d", inner, mixer.conv_kernel, dtype=DType.F32) for name in "qkv"),
            *decay,
            projection("b_proj", mixer.num_heads, hidden_size, "column"),
            *gate,
            projection("o_proj", hidden_size, inner, "row"),
            unquantized("A_log", mixer.num_heads, dtype=DType.F32),
            unquantized("dt_bias", inner, dtype=DType.F32),
            unquantized("o_norm", size, shard="replicated"),
        )


class Lightning(State):
    """Lightning attention."""

    def __init__(self, mixer: LinearAttention) -> None:
        self.mixer = mixer

    @property
    def divisible(self) -> int:
        """Heads."""
        return self.mixer.num_heads

    @property
    def elements(self) -> int:
        """A square matrix for each head."""
        return self.mixer.num_heads * self.mixer.head_dim**2

    @property
    def in_float32(self) -> bool:
        """True: it is kept in float32."""
        return True

    def matrices(self, hidden_size: int) -> tuple[Matrix, ...]:
        """Lightning attention (vLLM layers/mamba/linear_attn.py)."""
        mixer = self.mixer
        inner = mixer.num_heads * mixer.head_dim
        return (
            projection("qkv_proj", 3 * inner, hidden_size, "column"),
            projection("output_gate", inner, hidden_size, "column"),
            projection("out_proj", hidden_size, inner, "row"),
            unquantized("norm", inner),
        )


def linear_attention_kind(mixer: GatedDeltaNet | KimiDeltaAttention | LinearAttention) -> State:
    """The kind of linear attention.

    Raises:
        UnsupportedArchitectureError: no room knows it.
    """
    match mixer:
        case GatedDeltaNet():
            return GatedDelta(mixer)
        case KimiDeltaAttention():
            return KimiDelta(mixer)
        case LinearAttention():
            return Lightning(mixer)
        case _:
            raise unknown_kind(mixer, "what to plan")


def _named_apart(mixer: GatedDeltaNet, keys: int, values: int, hidden_size: int) -> tuple[Matrix, ...]:
    """Gated delta net by OLMo Hybrid's names (vLLM 0.32 mamba/gdn/olmo_gdn_linear_attn.py)."""
    widths = {"q": keys, "k": keys, "v": values}
    return (
        *(projection(f"{name}_proj", width, hidden_size, "column") for name, width in {**widths, "g": values}.items()),
        *(projection(f"{name}_proj", mixer.num_v_heads, hidden_size, "column") for name in "ab"),
        *(unquantized(f"{name}_conv1d", width, mixer.conv_kernel) for name, width in widths.items()),
        projection("o_proj", hidden_size, values, "row"),
        unquantized("A_log", mixer.num_v_heads),
        unquantized("dt_bias", mixer.num_v_heads),
        unquantized("o_norm", mixer.head_v_dim, shard="replicated"),
    )


def _gate(name: str, inner: int, size: int, hidden_size: int, *, full: bool) -> tuple[Matrix, ...]:
    """A projection to all channels, in one or by way of one head's size, which every rank holds."""
    if full:
        return (projection(f"{name}_proj", inner, hidden_size, "column"),)
    return (
        projection(f"{name}_a_proj", size, hidden_size, "replicated"),
        projection(f"{name}_b_proj", inner, size, "column"),
    )
