"""How a GPU computes with quantized weights: in their own format, in 16 bits, or not at all; from its capability."""

from typing import Literal

from generator.models.capability import ADA, BLACKWELL, TURING, Capability
from generator.models.dtype import DType
from generator.models.hardware import GPU
from generator.models.quantization import Format, Quantization
from generator.models.quantization_method import QuantizationMethod
from generator.models.value import Made

_NATIVE = {"fp8": ADA, "mxfp8": BLACKWELL, "nvfp4": BLACKWELL, "mxfp4": BLACKWELL, "int8": TURING}
"""Oldest compute capability that multiplies in a format (vLLM 0.32 quantization/compressed_tensors/schemes)."""

_MX_COLUMNS = 32
_ON_ROCM = frozenset({"fp8", "int8"})
"""Formats that vLLM's ROCm build multiplies in on MI300 and MI350 by default; its FP4 and MX kernels need AITER, which
is off (0.33 model_executor/kernels/linear/__init__.py, fused_moe/oracle/mxfp4.py:443, envs.py: VLLM_ROCM_USE_AITER)."""


class Arithmetic(Made):
    """How one GPU runs one checkpoint's weights, or reads one kind of cache."""

    verdict: Literal["native", "emulated", "unsupported"]
    text: str
    """What it means for memory and speed, or what is needed."""


def arithmetic(
    method: QuantizationMethod, gpu: GPU, release: str, quantization: Quantization | None = None
) -> Arithmetic:
    """How `gpu` runs weights of `method` on a vLLM release.

    Where the method has several formats (compressed-tensors, quark, mixed ones), those that `quantization` stores
    decide, and the one that asks for the newest GPU gives the verdict.
    """
    least = method.minimum_for(release)
    if gpu.capability < least:
        needed, own = least.words, gpu.capability.words
        return Arithmetic(
            verdict="unsupported", text=f"{method.name} needs compute capability {needed}, {gpu.name} has {own}"
        )
    needs = _needs(method, quantization)
    if not needs:
        return Arithmetic(
            verdict="native", text="16-bit arithmetic by design: weights are unpacked as they are read, memory is saved"
        )
    name, native = max(needs, key=lambda need: need[1])
    if _multiplies(gpu.capability, name, native):
        return Arithmetic(verdict="native", text=f"{gpu.name} multiplies in {name}")
    if gpu.capability.is_rocm:
        return Arithmetic(
            verdict="emulated",
            text=f"vLLM's ROCm build unpacks {name} weights to 16 bits on {gpu.name} unless AITER is turned on: they "
            "stay small in memory, so that decoding gains and reading prompts does not",
        )
    return Arithmetic(
        verdict="emulated",
        text=f"{gpu.name} has no {name} arithmetic (from compute capability {native.words} on): weights stay small "
        "in memory and are unpacked to 16 bits, so that decoding gains and reading prompts does not",
    )


def cache_arithmetic(dtype: str, gpu: GPU) -> Arithmetic:
    """How `gpu` computes with a KV cache of `dtype` ("fp8", "fp8_e4m3", "nvfp4", ...); whether vLLM takes it is a rule.

    FP8 and FP4 need tensor cores that multiply in them; elsewhere kernels convert what they read (vLLM 0.32
    v1/attention/backends/flashinfer.py, triton_attn.py:487).
    """
    name = next((kind for kind in ("nvfp4", "fp8", "int8") if dtype.startswith(kind)), None)
    if name is None:
        return Arithmetic(verdict="native", text="computed with as it is stored")
    if _multiplies(gpu.capability, name, _NATIVE[name]):
        return Arithmetic(verdict="native", text=f"{gpu.name} multiplies in {name}")
    return Arithmetic(
        verdict="emulated",
        text=f"{gpu.name} has no {name} arithmetic, so that the cache is smaller, and converted as it is read",
    )


def _multiplies(capability: Capability, name: str, native: Capability) -> bool:
    """Whether the GPU multiplies in the format that `native` is the oldest capability of CUDA for."""
    return name in _ON_ROCM if capability.is_rocm else capability >= native


def _needs(method: QuantizationMethod, quantization: Quantization | None) -> list[tuple[str, Capability]]:
    """Arithmetic that the weights ask for, each with the oldest capability that has it; empty for 16 bits."""
    if method.arithmetic is not None and method.native_capability is not None:
        return [(method.arithmetic, method.native_capability)]
    if quantization is None:
        return []
    kinds = {_kind(rule.format) for rule in quantization.rules if rule.format}
    return sorted((kind, _NATIVE[kind]) for kind in kinds if kind)


def _kind(form: Format) -> str:
    """The arithmetic of a stored format; empty for packed integers, which are unpacked to 16 bits."""
    if form.weights == DType.I8:
        return "int8"
    if form.weights == DType.F8_E4M3:
        return "mxfp8" if form.scale_columns == _MX_COLUMNS and form.scale_rows == 1 else "fp8"
    if form.weights == DType.U8 and form.bits == 4:  # noqa: PLR2004 - bits of a weight
        return "nvfp4" if form.scales == DType.F8_E4M3 else "mxfp4"
    return ""
