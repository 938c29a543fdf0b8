"""Operators of the compiled extensions: vLLM asks whether they exist, and registers fakes of them."""

from __future__ import annotations

from contextlib import suppress
from unittest.mock import MagicMock

import torch

_namespace = torch._ops._OpNamespace  # noqa: SLF001 - there is no public door to operator look-up
_real_getattr = _namespace.__getattr__
_real_register = torch.library.register_fake


def _operator(self, name):
    try:
        return _real_getattr(self, name)
    except AttributeError:
        of_extension = self.name.startswith("_") or self.name == "deep_select"
        if name.startswith("__") or not of_extension:
            raise
        return MagicMock(name=f"{self.name}.{name}")


def _register_fake(operator, function=None, **kwargs):
    def decorate(implementation):
        with suppress(RuntimeError):  # the operator is one of those that this build lacks
            _real_register(operator, **kwargs)(implementation)
        return implementation

    return decorate if function is None else decorate(function)


def install():
    """Answer for the operators that the build lacks."""
    _namespace.__getattr__ = _operator
    torch.library.register_fake = _register_fake
