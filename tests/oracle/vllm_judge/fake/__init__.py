"""A CUDA platform that only answers questions; `pretend()` comes before the first import of vLLM."""

from __future__ import annotations

from importlib import import_module

_FIRST = ("torch._dynamo", "torch._inductor.utils", "torch._inductor.config", "tvm_ffi", "xgrammar")
"""These choose their own imports by what they find, so they see the machine as it is."""


def pretend() -> None:
    """Put every stand-in in place, in the order that their imports need."""
    for name in _FIRST:
        import_module(name)
    from vllm_judge.fake import device, driver, extensions, operators  # noqa: PLC0415 - after those

    extensions.install()
    driver.install()
    device.install()
    operators.install()
