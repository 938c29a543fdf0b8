"""The kernel that most of a model's matrix products read their weights through."""

from collections import Counter
from functools import lru_cache

from generator.models.architecture import Architecture
from generator.models.dtype import DType
from generator.models.quantization import Format, Quantization
from generator.models.speed import WeightKernel
from generator.planning.weights.expansion import modules
from generator.planning.weights.formats import stored_formats

_OUTSIDE = ("vision", "embed", "lm_head")
_HALF_BYTE = 4


@lru_cache(maxsize=64)
def kernels(architecture: Architecture, quantization: Quantization | None) -> tuple[WeightKernel, WeightKernel]:
    """Kernels of the always-active products and of the routed experts, by most elements."""
    if quantization is None:
        return "native", "native"
    held: dict[bool, Counter[WeightKernel]] = {False: Counter(), True: Counter()}
    for module in modules(architecture):
        matrix = module.matrix
        if not matrix.linear or matrix.part in _OUTSIDE:
            continue
        for stored in stored_formats(module, quantization):
            held[matrix.part == "experts"][kernel_of(stored.form)] += matrix.parameters * len(stored.layers)
    return _most(held[False]), _most(held[True])


def _most(held: Counter[WeightKernel]) -> WeightKernel:
    best: WeightKernel = "native"
    for kernel in sorted(held):
        if held[kernel] > held[best]:
            best = kernel
    return best


def kernel_of(form: Format | None) -> WeightKernel:
    """The kernel that reads one stored format."""
    if form is None:
        return "native"
    if form.kernel.endswith("mxfp4") or (form.bits == _HALF_BYTE and form.scales is DType.F8_E8M0):
        return "mxfp4"
    if form.bits == _HALF_BYTE and form.scales is DType.F8_E4M3:
        return "nvfp4"
    if form.weights in (DType.F8_E4M3, DType.F8_E5M2):
        return "fp8_block" if form.scale_rows > 1 and form.scale_columns > 1 else "fp8"
    return "int4" if form.bits <= _HALF_BYTE else "int8"
