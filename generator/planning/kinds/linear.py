"""Linear attention: gated delta nets, Kimi delta attention, lightning attention.

Shapes and dtypes of states are vLLM 0.32 model_executor/layers/mamba/mamba_utils.py's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.attention import GatedDeltaNet, KimiDeltaAttention, LinearAttention
from generator.models.capability import BLACKWELL, BLACKWELL_RTX, HOPPER
from generator.models.dtype import DType
from generator.models.matrix import Matrix
from generator.planning.kinds.kind import StateKind, divide, projection, unknown_kind, unquantized

if TYPE_CHECKING:
    from generator.planning.kv_cache.context import Context
    from generator.planning.kv_cache.settings import CacheSettings

_CHECKPOINT_TOKENS = 64
"""FlashInfer's gated-delta prefill exports states at multiples of it (vLLM 0.33 backends/gdn_attn.py:34)."""
_KERNEL_HEAD_DIM = 128


class GatedDelta(StateKind):
    """Gated delta rule."""

    def __init__(self, mixer: GatedDeltaNet) -> None:
        super().__init__(
            divisible=mixer.num_v_heads,
            elements=mixer.num_v_heads * mixer.head_k_dim * mixer.head_v_dim,
            in_float32=mixer.state_dtype == "float32",
        )
        self.mixer = mixer

    def shapes(self, tensor_parallel_size: int, drafted: int) -> tuple[tuple[int, ...], ...]:
        """The last inputs of the convolution, and a matrix for each value head."""
        mixer, tp = self.mixer, tensor_parallel_size
        channels = 2 * mixer.num_k_heads * mixer.head_k_dim + mixer.num_v_heads * mixer.head_v_dim
        heads = divide(mixer.num_v_heads, tp, "value heads of the linear attention")
        convolution = (mixer.conv_kernel - 1 + drafted, divide(channels, tp, "state channels"))
        return (convolution, (heads, mixer.head_v_dim, mixer.head_k_dim))

    def recurrent_dtype(self, convolution: str) -> str | None:
        """What config.json asks for, else the convolution's."""
        return self.mixer.state_dtype or convolution

    def checkpoint_blocks(self, ctx: Context) -> int:
        """One where FlashInfer runs the prefill."""
        return int(_flashinfer(self.mixer, ctx.settings))

    def checkpoint_alignment(self, ctx: Context) -> int:
        """Multiples at which FlashInfer exports states."""
        return _CHECKPOINT_TOKENS if _flashinfer(self.mixer, ctx.settings) else 1

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


class KimiDelta(StateKind):
    """Kimi delta attention."""

    dtypes = ("auto", "bfloat16", "float32")

    def __init__(self, mixer: KimiDeltaAttention) -> None:
        super().__init__(
            divisible=mixer.num_heads,
            elements=mixer.num_heads * mixer.head_dim**2,
            in_float32=mixer.state_dtype == "float32",
        )
        self.mixer = mixer

    def shapes(self, tensor_parallel_size: int, drafted: int) -> tuple[tuple[int, ...], ...]:
        """The last inputs of the convolution, and a square matrix for each head."""
        mixer = self.mixer
        heads = divide(mixer.num_heads, tensor_parallel_size, "heads of the linear attention")
        convolution = (mixer.conv_kernel - 1 + drafted, 3 * heads * mixer.head_dim)
        return (convolution, (heads, mixer.head_dim, mixer.head_dim))

    def recurrent_dtype(self, convolution: str) -> str | None:  # noqa: ARG002 - whatever that has
        """Float32 unless vLLM is asked otherwise (mamba_utils.py: kda_state_dtype)."""
        return "float32"

    def checkpoint_blocks(self, ctx: Context) -> int:
        """One where its fast kernels run (vLLM 0.32 kimi_k3/nvidia/kda.py:829)."""
        return int(_flash_kda(self.mixer, ctx.dtype, ctx.settings))

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


class Lightning(StateKind):
    """Lightning attention."""

    def __init__(self, mixer: LinearAttention) -> None:
        super().__init__(divisible=mixer.num_heads, elements=mixer.num_heads * mixer.head_dim**2, in_float32=True)
        self.mixer = mixer

    def shapes(self, tensor_parallel_size: int, drafted: int) -> tuple[tuple[int, ...], ...]:  # noqa: ARG002 - it drafts nothing
        """A square matrix for each head."""
        size = self.mixer.head_dim
        return ((divide(self.mixer.num_heads, tensor_parallel_size, "heads of the linear attention"), size, size),)

    def recurrent_dtype(self, convolution: str) -> str | None:  # noqa: ARG002 - there is no other tensor
        """None: the matrices are all."""
        return None

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


def linear_attention_kind(mixer: GatedDeltaNet | KimiDeltaAttention | LinearAttention) -> StateKind:
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


def _flash_kda(mixer: KimiDeltaAttention, dtype: str, settings: CacheSettings) -> bool:
    return (
        settings.capability.family in {HOPPER, BLACKWELL, BLACKWELL_RTX}
        and mixer.head_dim == _KERNEL_HEAD_DIM
        and dtype == "bfloat16"
        and mixer.gate_lower_bound is not None
    )


def _flashinfer(mixer: GatedDeltaNet, settings: CacheSettings) -> bool:
    """Whether FlashInfer runs the prefill; OLMo Hybrid's class has a kernel of its own (olmo_gdn_linear_attn.py)."""
    if mixer.named_apart or not settings.release.has("state_checkpoints_of_gated_delta_nets"):
        return False
    if settings.capability == HOPPER:
        return True
    return settings.capability.family in {BLACKWELL, BLACKWELL_RTX} and mixer.head_k_dim == _KERNEL_HEAD_DIM


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
