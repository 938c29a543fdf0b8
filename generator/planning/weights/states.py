"""Tensors of a mixer that keeps a state: Mamba, gated delta nets, Kimi delta attention, convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.attention import (
    GatedDeltaNet,
    KimiDeltaAttention,
    LinearAttention,
    Mamba1,
    Mamba2,
    ShortConv,
)
from generator.models.dtype import DType
from generator.models.matrix import Matrix, Shard
from generator.planning.kinds.unknown import unknown_kind

if TYPE_CHECKING:
    from collections.abc import Iterable


StateMixer = Mamba1 | Mamba2 | GatedDeltaNet | KimiDeltaAttention | LinearAttention | ShortConv


def state_matrices(mixer: StateMixer, hidden_size: int) -> Iterable[Matrix]:
    """Tensors of one mixer of a layer `hidden_size` wide, unsharded."""
    match mixer:
        case Mamba1():
            return _mamba1(mixer, hidden_size)
        case Mamba2():
            return _mamba2(mixer, hidden_size)
        case GatedDeltaNet():
            return _gated_delta_net(mixer, hidden_size)
        case KimiDeltaAttention():
            return _kimi_delta(mixer, hidden_size)
        case LinearAttention():
            return _linear_attention(mixer, hidden_size)
        case ShortConv():
            return _short_conv(mixer, hidden_size)
        case _:
            raise unknown_kind(mixer, "what weights it has")


def _linear(
    name: str, rows: int, columns: int, shard: Shard, units: int | None = None, *, bias: bool = False
) -> Matrix:
    return Matrix(name=name, rows=rows, columns=columns, shard=shard, units=units, bias=bias, part="attention")


def _fixed(
    name: str, rows: int, columns: int = 1, shard: Shard = "column", dtype: DType | None = None, *,
    units: int | None = None, bias: bool = False,
) -> Matrix:  # fmt: skip
    return Matrix(
        name=name, rows=rows, columns=columns, shard=shard, dtype=dtype, units=units, bias=bias,
        part="attention", linear=False,
    )  # fmt: skip


def _mamba2(mixer: Mamba2, hidden_size: int) -> Iterable[Matrix]:
    """Mamba-2: groups that do not divide are repeated on every rank (vLLM mamba/mamba_mixer2.py)."""
    inner, groups, kernel = mixer.intermediate_size, mixer.n_groups, mixer.conv_kernel
    state = 2 * groups * mixer.state_size
    return (
        _linear("in_proj", 2 * inner + mixer.num_heads, hidden_size, "column", bias=mixer.bias),
        _linear("in_proj", state, hidden_size, "column", groups, bias=mixer.bias),
        _fixed("conv1d", inner, kernel, bias=mixer.conv_bias),
        _fixed("conv1d", state, kernel, units=groups, bias=mixer.conv_bias),
        _linear("out_proj", hidden_size, inner, "row", bias=mixer.bias),
        _fixed("A_log", mixer.num_heads, dtype=DType.F32),
        _fixed("D", 2 * mixer.num_heads),
        _fixed("norm", inner),
    )


def _mamba1(mixer: Mamba1, hidden_size: int) -> Iterable[Matrix]:
    """Mamba-1 (vLLM mamba/mamba_mixer.py)."""
    inner, rank = mixer.intermediate_size, mixer.time_step_rank
    norms = (
        _fixed("dt_b_c_layernorms", rank + 2 * mixer.state_size, shard="replicated"),
    ) if mixer.inner_norms else ()  # fmt: skip
    return (
        _linear("in_proj", 2 * inner, hidden_size, "column", bias=mixer.bias),
        _fixed("conv1d", inner, mixer.conv_kernel, bias=mixer.conv_bias),
        _linear("x_proj", rank + 2 * mixer.state_size, inner, "row"),
        _linear("dt_proj", inner, rank, "column", bias=True),
        _linear("out_proj", hidden_size, inner, "row", bias=mixer.bias),
        _fixed("A_log", inner, mixer.state_size, dtype=DType.F32),
        _fixed("D", inner, dtype=DType.F32),
        *norms,
    )


def _gated_delta_net(mixer: GatedDeltaNet, hidden_size: int) -> Iterable[Matrix]:
    """Gated delta net (vLLM mamba/gdn/qwen_gdn_linear_attn.py)."""
    keys, values = mixer.num_k_heads * mixer.head_k_dim, mixer.num_v_heads * mixer.head_v_dim
    if mixer.named_apart:
        return _named_apart(mixer, keys, values, hidden_size)
    return (
        _linear("in_proj_qkv", 2 * keys + values, hidden_size, "column"),
        _linear("in_proj_z", values, hidden_size, "column"),
        _linear("in_proj_b", mixer.num_v_heads, hidden_size, "column"),
        _linear("in_proj_a", mixer.num_v_heads, hidden_size, "column"),
        _fixed("conv1d", 2 * keys + values, mixer.conv_kernel),
        _linear("out_proj", hidden_size, values, "row"),
        _fixed("A_log", mixer.num_v_heads, dtype=DType.F32),
        _fixed("dt_bias", mixer.num_v_heads),
        _fixed("norm", mixer.head_v_dim, shard="replicated"),
    )


def _named_apart(mixer: GatedDeltaNet, keys: int, values: int, hidden_size: int) -> Iterable[Matrix]:
    """Gated delta net by OLMo Hybrid's names (vLLM 0.32 mamba/gdn/olmo_gdn_linear_attn.py)."""
    widths = {"q": keys, "k": keys, "v": values}
    return (
        *(_linear(f"{name}_proj", width, hidden_size, "column") for name, width in {**widths, "g": values}.items()),
        *(_linear(f"{name}_proj", mixer.num_v_heads, hidden_size, "column") for name in "ab"),
        *(_fixed(f"{name}_conv1d", width, mixer.conv_kernel) for name, width in widths.items()),
        _linear("o_proj", hidden_size, values, "row"),
        _fixed("A_log", mixer.num_v_heads),
        _fixed("dt_bias", mixer.num_v_heads),
        _fixed("o_norm", mixer.head_v_dim, shard="replicated"),
    )


def _kimi_delta(mixer: KimiDeltaAttention, hidden_size: int) -> Iterable[Matrix]:
    """Kimi delta attention (vLLM models/kimi_linear.py, layers/kda.py)."""
    size, inner = mixer.head_dim, mixer.num_heads * mixer.head_dim
    gate = _gate("g", inner, size, hidden_size, full=mixer.full_rank_gate)
    decay = _gate("f", inner, size, hidden_size, full=mixer.full_rank_decay)
    return (
        *(_linear(f"{name}_proj", inner, hidden_size, "column") for name in "qkv"),
        *(_fixed(f"{name}_conv1d", inner, mixer.conv_kernel, dtype=DType.F32) for name in "qkv"),
        *decay,
        _linear("b_proj", mixer.num_heads, hidden_size, "column"),
        *gate,
        _linear("o_proj", hidden_size, inner, "row"),
        _fixed("A_log", mixer.num_heads, dtype=DType.F32),
        _fixed("dt_bias", inner, dtype=DType.F32),
        _fixed("o_norm", size, shard="replicated"),
    )


def _gate(name: str, inner: int, size: int, hidden_size: int, *, full: bool) -> tuple[Matrix, ...]:
    """A projection to all channels, in one or by way of one head's size, which every rank holds."""
    if full:
        return (_linear(f"{name}_proj", inner, hidden_size, "column"),)
    return (
        _linear(f"{name}_a_proj", size, hidden_size, "replicated"),
        _linear(f"{name}_b_proj", inner, size, "column"),
    )


def _linear_attention(mixer: LinearAttention, hidden_size: int) -> Iterable[Matrix]:
    """Lightning attention (vLLM layers/mamba/linear_attn.py)."""
    inner = mixer.num_heads * mixer.head_dim
    return (
        _linear("qkv_proj", 3 * inner, hidden_size, "column"),
        _linear("output_gate", inner, hidden_size, "column"),
        _linear("out_proj", hidden_size, inner, "row"),
        _fixed("norm", inner),
    )


def _short_conv(mixer: ShortConv, hidden_size: int) -> Iterable[Matrix]:
    """Gated short convolution (vLLM layers/mamba/short_conv.py)."""
    return (
        _linear("in_proj", 3 * mixer.conv_dim, hidden_size, "column", bias=mixer.bias),
        _fixed("conv", mixer.conv_dim, mixer.conv_kernel, bias=mixer.bias),
        _linear("out_proj", hidden_size, mixer.conv_dim, "row", bias=mixer.bias),
    )
