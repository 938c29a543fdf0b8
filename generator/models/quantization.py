"""Quantization of a checkpoint, as its config.json declares it."""

from __future__ import annotations

from generator.models.value import Value


class Quantization(Value):
    """One scheme; `method` is vLLM's name for it (`fp8`, `awq`, `compressed-tensors`, ...)."""

    method: str
    bits: int
    group_size: int | None = None
    """Elements of one scale along the input dimension; None for one scale a channel or tensor."""
    ignored_modules: tuple[str, ...] = ()
    """Patterns of modules that stay unquantized, as the checkpoint spells them."""
    kv_cache_dtype: str | None = None
    """KV cache dtype that the checkpoint itself asks for."""
