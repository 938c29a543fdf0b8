"""State-space layers and gated convolutions: Mamba-1, Mamba-2, LFM2's.

Shapes and dtypes of states are vLLM 0.32 model_executor/layers/mamba/mamba_utils.py's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.attention import Mamba1, Mamba2, ShortConv
from generator.models.dtype import DType
from generator.models.matrix import Matrix
from generator.planning.kinds.kind import StateKind, divide, projection, unknown_kind, unquantized

if TYPE_CHECKING:
    from generator.planning.kv_cache.context import Context


class SelectiveState(StateKind):
    """Selective state space with a state for each channel."""

    def __init__(self, mixer: Mamba1) -> None:
        super().__init__(
            divisible=mixer.intermediate_size,
            elements=mixer.intermediate_size * mixer.state_size,
            in_float32=mixer.state_dtype == "float32",
        )
        self.mixer = mixer

    def shapes(self, tensor_parallel_size: int, drafted: int) -> tuple[tuple[int, ...], ...]:  # noqa: ARG002 - it drafts nothing
        """The last inputs of the convolution, and a state for each channel."""
        mixer = self.mixer
        width = divide(mixer.intermediate_size, tensor_parallel_size, "state channels")
        return ((mixer.conv_kernel - 1, width), (width, mixer.state_size))

    def recurrent_dtype(self, convolution: str) -> str | None:
        """What config.json asks for, else the convolution's."""
        return self.mixer.state_dtype or convolution

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


class StateSpace(StateKind):
    """State space with heads."""

    def __init__(self, mixer: Mamba2) -> None:
        super().__init__(
            divisible=mixer.num_heads,
            elements=mixer.num_heads * mixer.head_dim * mixer.state_size,
            in_float32=mixer.state_dtype == "float32",
            groups=mixer.n_groups,
        )
        self.mixer = mixer

    def shapes(self, tensor_parallel_size: int, drafted: int) -> tuple[tuple[int, ...], ...]:
        """The last inputs of the convolution, and a state for each head; groups that do not divide are repeated."""
        mixer, tp = self.mixer, tensor_parallel_size
        groups = mixer.n_groups if mixer.n_groups % tp == 0 else tp
        channels = mixer.intermediate_size + 2 * groups * mixer.state_size
        heads = divide(mixer.num_heads, tp, "state-space heads")
        convolution = (mixer.conv_kernel - 1 + drafted, divide(channels, tp, "state channels"))
        return (convolution, (heads, mixer.head_dim, mixer.state_size))

    def recurrent_dtype(self, convolution: str) -> str | None:
        """What config.json asks for, else the convolution's."""
        return self.mixer.state_dtype or convolution

    def checkpoint_blocks(self, ctx: Context) -> int:  # noqa: ARG002 - on every GPU
        """One (vLLM 0.32 mamba_mixer2.py:1098)."""
        return 1

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


class Convolution(StateKind):
    """Gated short convolution."""

    def __init__(self, mixer: ShortConv) -> None:
        super().__init__(divisible=mixer.conv_dim, elements=0, in_float32=False)
        self.mixer = mixer

    def shapes(self, tensor_parallel_size: int, drafted: int) -> tuple[tuple[int, ...], ...]:
        """The last inputs of the convolution."""
        channels = divide(self.mixer.conv_dim, tensor_parallel_size, "state channels")
        return ((self.mixer.conv_kernel - 1 + drafted, channels),)

    def recurrent_dtype(self, convolution: str) -> str | None:  # noqa: ARG002 - there is no other tensor
        """None: the convolution's state is all."""
        return None

    def matrices(self, hidden_size: int) -> tuple[Matrix, ...]:
        """Gated short convolution (vLLM layers/mamba/short_conv.py)."""
        mixer = self.mixer
        return (
            projection("in_proj", 3 * mixer.conv_dim, hidden_size, "column", bias=mixer.bias),
            unquantized("conv", mixer.conv_dim, mixer.conv_kernel, bias=mixer.bias),
            projection("out_proj", hidden_size, mixer.conv_dim, "row", bias=mixer.bias),
        )


def state_space_kind(mixer: Mamba1 | Mamba2 | ShortConv) -> StateKind:
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
