"""Kernels of layers that the user names: vLLM asks no others, and whether these run them is not counted here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from generator.planning.case import Case

_KEYS = ("linear_backend", "linear_backend_per_quant")
_METHOD = "quantization"


def named_kernels(case: Case) -> tuple[str, ...]:
    """The user's arguments that name kernels of quantized layers; none where vLLM chooses.

    A method that loads other methods' checkpoints compiles its kernels at the start. A name without a kernel for the
    format is passed over, one with a kernel that refuses the layer ends the start (vLLM 0.33
    kernels/linear/__init__.py: _filter_kernels_by_backend, choose_mp_linear_kernel).
    """
    if case.method is None:
        return ()
    inner = case.mapping("kernel_config")
    values = (case.fixed.get(_KEYS[0]), *(inner.get(key) for key in _KEYS))
    linear = _KEYS[:1] if any(value not in (None, "auto", {}) for value in values) else ()
    named = case.tables.method(case.fixed.get(_METHOD))
    return (*linear, _METHOD) if named is not None and named.loads_others else linear
