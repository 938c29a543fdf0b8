"""State-space layers and gated convolutions: Mamba-1, Mamba-2, LFM2's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.attention import Mamba1, Mamba2, ShortConv
from generator.models.dtype import DType
from generator.planning.kinds.kind import State
from generator.planning.kinds.tensors import projection, unquantized
from generator.planning.kinds.unknown import unknown_kind

if TYPE_CHECKING:
    from generator.models.matrix import Matrix


class SelectiveState(State):
    """Selective state space with a state for each channel."""

    def __init__(self, mixer: Mamba1) -> None:
        self.mixer = mixer

    @property
    def divisible(self) -> int:
        """Channels of the inner stream."""
        return self.mixer.intermediate_size

    @property
    def elements(self) -> int:
        """A state for each channel."""
        return self.mixer.intermediate_size * self.mixer.state_size

    @property
    def in_float32(self) -> bool:
        """Whether config.json asks for it."""
        return self.mixer.state_dtype == "float32"

    def matrices(self, hidden_size: int) -> tuple[Matrix, ...]:
        """Mamba-1 (vLLM mamba/mamba_mixer.py)."""
        mixer = self.mixer
        inner, rank = mixer.intermediate_size, mixer.time_step_rank
        norms = (
            unquantized("dt_b_c_layernorms", rank + 2 * mixer.state_size, shard="replicated"),
        ) if mixer.inner_norms else ()  # fmt: skip
        return (
            projection("in_proj", 2 * inner, hidden_size, "column", bias=mixer.bias),
            unquantized("conv1d", inner, mixer.conv_kernel, bias=mixer.conv_bias),
            projection("x_proj", rank + 2 * mixer.state_size, inner, "row"),
            projection("dt_proj", inner, rank, "column", bias=True),
            projection("out_proj", hidden_size, inner, "row", bias=mixer.bias),
            unquantized("A_log", inner, mixer.state_size, dtype=DType.F32),
            unquantized("D", inner, dtype=DType.F32),
            *norms,
        )


class StateSpace(State):
    """State space with heads."""

    def __init__(self, mixer: Mamba2) -> None:
        self.mixer = mixer

    @property
    def divisible(self) -> int:
        """State-space heads."""
        return self.mixer.num_heads

    @property
    def elements(self) -> int:
        """A state for each channel of each head."""
        return self.mixer.num_heads * self.mixer.head_dim * self.mixer.state_size

    @property
    def in_float32(self) -> bool:
        """Whether config.json asks for it."""
        return self.mixer.state_dtype == "float32"

    def matrices(self, hidden_size: int) -> tuple[Matrix, ...]:
        """Mamba-2: groups that do not divide are repeated on every rank (vLLM mamba/mamba_mixer2.py)."""
        mixer = self.mixer
        inner, groups, kernel = mixer.intermediate_size, mixer.n_groups, mixer.conv_kernel
        state = 2 * groups * mixer.state_size
        return (
            projection("in_proj", 2 * inner + mixer.num_heads, hidden_size, "column", bias=mixer.bias),
            projection("in_proj", state, hidden_size, "column", groups, bias=mixer.bias),
            unquantized("conv1d", inner, kernel, bias=mixer.conv_bias),
            unquantized("conv1d", state, kernel, units=groups, bias=mixer.conv_bias),
            projection("out_proj", hidden_size, inner, "row", bias=mixer.bias),
            unquantized("A_log", mixer.num_heads, dtype=DType.F32),
            unquantized("D", 2 * mixer.num_heads),
            unquantized("norm", inner),
        )


class Convolution(State):
    """Gated short convolution."""

    def __init__(self, mixer: ShortConv) -> None:
        self.mixer = mixer

    @property
    def divisible(self) -> int:
        """Channels."""
        return self.mixer.conv_dim

    @property
    def elements(self) -> int:
        """0: a convolution keeps kilobytes."""
        return 0

    @property
    def in_float32(self) -> bool:
        """False: there is no recurrent state."""
        return False

    def matrices(self, hidden_size: int) -> tuple[Matrix, ...]:
        """Gated short convolution (vLLM layers/mamba/short_conv.py)."""
        mixer = self.mixer
        return (
            projection("in_proj", 3 * mixer.conv_dim, hidden_size, "column", bias=mixer.bias),
            unquantized("conv", mixer.conv_dim, mixer.conv_kernel, bias=mixer.bias),
            projection("out_proj", hidden_size, mixer.conv_dim, "row", bias=mixer.bias),
        )


def state_space_kind(mixer: Mamba1 | Mamba2 | ShortConv) -> State:
    """The kind of state-space layer or convolution.

    Raises:
        UnsupportedArchitectureError: no room knows it.
    """
    match mixer:
        case Mamba1():
            return SelectiveState(mixer)
        case Mamba2():
            return StateSpace(mixer)
        case ShortConv():
            return Convolution(mixer)
        case _:
            raise unknown_kind(mixer, "what to plan")
