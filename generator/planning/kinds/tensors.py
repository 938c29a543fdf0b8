"""Tensors of a mixer, by what vLLM's layers do with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.matrix import Matrix

if TYPE_CHECKING:
    from generator.models.dtype import DType
    from generator.models.matrix import Shard


def projection(
    name: str, rows: int, columns: int, shard: Shard = "replicated", units: int | None = None, *, bias: bool = False
) -> Matrix:
    """A projection; `units` heads or groups are split whole."""
    return Matrix(name=name, rows=rows, columns=columns, shard=shard, units=units, bias=bias, part="attention")


def plain(name: str, rows: int, columns: int) -> Matrix:
    """A projection that vLLM builds without the quantization config, on every rank."""
    return unquantized(name, rows, columns, "replicated")


def vector(name: str, rows: int, shard: Shard = "replicated", dtype: DType | None = None) -> Matrix:
    """A norm, a bias or a state of the mixer: `rows` numbers that stay unquantized."""
    return unquantized(name, rows, shard=shard, dtype=dtype)


def unquantized(
    name: str, rows: int, columns: int = 1, shard: Shard = "column", dtype: DType | None = None, *,
    units: int | None = None, bias: bool = False,
) -> Matrix:  # fmt: skip
    """Numbers that no quantization touches: a convolution, a decay, a norm."""
    return Matrix(
        name=name, rows=rows, columns=columns, shard=shard, dtype=dtype, units=units, bias=bias,
        part="attention", linear=False,
    )  # fmt: skip
