"""Quantization of a checkpoint: which number formats it stores its matrices in."""

from __future__ import annotations

from typing import Literal

from generator.models.dtype import DType
from generator.models.value import Value


class Format(Value):
    """How one quantized matrix lies in memory: packed weights, then scales over a grid, then scalars."""

    weights: DType
    """Storage format of the packed weights."""
    bits: int
    """Bits of one weight."""
    scales: DType | Literal["model"] = DType.F32
    """Storage format of the scales; `model` for the model's own dtype."""
    scale_rows: int = 0
    """Rows (outputs) that share a scale; 0 for all of them."""
    scale_columns: int = 0
    """Columns (inputs) that share a scale; 0 for all of them."""
    zero_points: bool = False
    """True where every scale has a zero point of `bits` bits, packed like the weights."""
    group_index: bool = False
    """True where each column carries its group's number (GPTQ with activation order)."""
    scalars: int = 0
    """float32 scalars beside the scales: global and input scales."""
    expert_bias: bool = False
    """True where vLLM gives experts biases in the model's dtype whatever the model has (GPTQ)."""
    kernel: Literal["", "mxfp4", "gpt_oss_mxfp4"] = ""
    """Names the kernels whose padding the stored shape follows; empty for none."""


class QuantRule(Value):
    """Modules that match one of `targets` are stored in `format`; None leaves them unquantized."""

    targets: tuple[str, ...]
    """Patterns: exact names with numbers as `{0-3,7}`, globs with `*`, or `re:` and an expression."""
    format: Format | None = None


class Quantization(Value):
    """One scheme; `method` is vLLM's name for it (`fp8`, `awq`, `compressed-tensors`, ...)."""

    method: str
    bits: int
    symmetric: bool = True
    """False where GPTQ's groups have zero points of their own."""
    group_size: int | None = None
    """Elements of one scale along the input dimension; None for one scale a channel or tensor."""
    ignored_modules: tuple[str, ...] = ()
    """Patterns of modules that stay unquantized; they win over every rule."""
    rules: tuple[QuantRule, ...] = ()
    """The first rule that matches a module's name decides its format."""
    kv_cache_dtype: str | None = None
    """KV cache dtype that the checkpoint itself asks for."""
    modelopt_algorithm: str | None = None
    """ModelOpt's algorithm where vLLM derives the method from it, no quant_method being named."""
