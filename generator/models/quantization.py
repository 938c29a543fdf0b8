"""Quantization of a checkpoint: which number formats it stores its matrices in, and those of vLLM's own methods."""

from collections.abc import Sequence
from typing import Literal

from generator.models.dtype import DType
from generator.models.scheme import Numbers, Scheme
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
    lacks_zero_points: bool = False
    """True where AWQ's groups have none (`zero_point` false); room for them is made all the same."""
    group_size: int | None = None
    """Elements of one scale along the input dimension; None for one scale a channel or tensor."""
    ignored_modules: tuple[str, ...] = ()
    """Patterns of modules that stay unquantized; they win over every rule."""
    rules: tuple[QuantRule, ...] = ()
    """The first rule that matches a module's name decides its format."""
    kv_cache_dtype: str | None = None
    """KV cache dtype that the checkpoint itself asks for."""
    schemes: tuple[Scheme | None, ...] = ()
    """How compressed-tensors, AutoRound and Quark say each of the rules, inputs included; empty for all others."""
    embeds: bool = False
    """True where compressed-tensors quantizes the embedding too, which is counted in 16 bits."""
    cache: Numbers | None = None
    """How compressed-tensors quantizes the cache; None where it does not, and for every other method."""
    rotates: bool = False
    """True where what goes into matrices or comes out of them is rotated while serving (`transform_config`)."""
    modelopt_algorithm: str | None = None
    """ModelOpt's algorithm where vLLM derives the method from it, no quant_method being named."""

    @property
    def packed(self) -> frozenset[tuple[int, int]]:
        """Bits and how many inputs share a scale (-1: a whole row), of every format among the rules."""
        formats = (rule.format for rule in self.rules)
        return frozenset((form.bits, form.scale_columns or -1) for form in formats if form is not None)


NVFP4 = Format(weights=DType.U8, bits=4, scales=DType.F8_E4M3, scale_rows=1, scale_columns=16, scalars=2)
"""NVFP4: blocks of 16 with FP8 scales, one global and one input scale (layers/quantization/modelopt.py)."""

NVFP4_WEIGHTS = NVFP4.model_copy(update={"scalars": 1})
"""NVFP4 whose inputs stay in 16 bits (ModelOpt's W4A16_NVFP4)."""

MXFP4 = Format(weights=DType.U8, bits=4, scales=DType.U8, scale_rows=1, scale_columns=32)
"""MXFP4: blocks of 32 with power-of-two scales."""

MXFP4_EXPERTS = MXFP4.model_copy(update={"kernel": "mxfp4"})
"""MXFP4 experts, whose shape is padded as the kernel wants (fused_moe/oracle/mxfp4.py)."""

GPT_OSS_EXPERTS = MXFP4.model_copy(update={"kernel": "gpt_oss_mxfp4"})
"""gpt-oss's experts, which have kernels of their own."""

MXFP8 = Format(weights=DType.F8_E4M3, bits=8, scales=DType.U8, scale_rows=1, scale_columns=32)
"""MXFP8: blocks of 32 with power-of-two scales."""

FP8_TENSOR = Format(weights=DType.F8_E4M3, bits=8, scalars=1)
"""FP8 with one weight scale and one input scale a matrix."""

FP8_CHANNEL = Format(weights=DType.F8_E4M3, bits=8, scale_rows=1)
"""FP8 with one scale an output channel."""

INT8_CHANNEL = Format(weights=DType.I8, bits=8, scale_rows=1)
"""INT8 with one scale an output channel."""


def fp8(block: Sequence[int] | None = None, *, static: bool = False, power_of_two: bool = False) -> Format:
    """FP8 with a scale for each block of `[rows, columns]`, or one a matrix where there is no block."""
    scales = DType.F8_E8M0 if power_of_two else DType.F32
    if not block:
        return Format(weights=DType.F8_E4M3, bits=8, scalars=int(static))
    rows, columns = block
    return Format(weights=DType.F8_E4M3, bits=8, scales=scales, scale_rows=rows, scale_columns=columns)


def packed_integers(
    bits: int, group: int, *, zero_points: bool = False, group_index: bool = False, scales_bits: int = 16
) -> Format:
    """Integers packed into words, a scale in the model's dtype for each group of a row; 0 or less for one a row."""
    scales = DType.U8 if scales_bits == 8 else "model"  # noqa: PLR2004 - bits of a byte
    return Format(
        weights=DType.I32, bits=bits, scales=scales, scale_rows=1, scale_columns=max(group, 0),
        zero_points=zero_points, group_index=group_index,
    )  # fmt: skip


def gptq_integers(bits: int, group: int, *, group_index: bool = False) -> Format:
    """GPTQ's packing; one group a row has no order, and experts get biases (vLLM 0.32 auto_gptq.py)."""
    form = packed_integers(bits, group, zero_points=True, group_index=group_index and group > 0)
    return form.model_copy(update={"expert_bias": True})
