"""Stand-ins for compiled extensions and for packages that exist with CUDA alone.

They are classes, not mocks: FlashInfer sets `__init__` on them, compares their versions, uses them as decorators and
in isinstance.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import types

_CUDA_PACKAGES = ("cuda", "cutlass", "tilelang", "quack", "deep_gemm", "tvm_ffi")
_COMPILED = ("_C", "_C_stable_libtorch", "_extension_C")


def _hidden(name: str) -> bool:
    """Whether Python asks for a protocol of its own, which no stand-in has."""
    return name.startswith("__") and "mlir" not in name


class StandIn(type):
    """A class of which everything can be asked; called as a decorator it gives back what it decorates."""

    def __getattr__(cls, name):
        if _hidden(name):
            raise AttributeError(name)
        value = stand_in(name)
        setattr(cls, name, value)
        return value

    def __call__(cls, *args, **kwargs):
        """Give back a decorated function, else another stand-in; a real subclass is made as ever."""
        if "_plain" not in cls.__dict__:
            return super().__call__(*args, **kwargs)
        decorates = len(args) == 1 and callable(args[0]) and not kwargs
        return args[0] if decorates else stand_in(cls.__name__)

    def __iter__(cls):
        return iter(())

    def _itself(cls, _other):
        return cls

    def _never(cls, _other):
        return False

    def __int__(cls):
        return 0

    __index__ = __int__
    __getitem__ = __or__ = __ror__ = __add__ = __radd__ = __mul__ = __rmul__ = __sub__ = __floordiv__ = (
        __rfloordiv__
    ) = _itself
    __gt__ = __lt__ = __ge__ = __le__ = _never


def stand_in(name):
    """A new stand-in of that name."""
    return StandIn(name, (), {"_plain": True, "__init__": lambda *_args, **_kwargs: None})


class _Module(types.ModuleType):
    def __getattr__(self, name):
        if _hidden(name):
            raise AttributeError(name)
        value = stand_in(name)
        setattr(self, name, value)
        return value


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the absent packages and vLLM's compiled extensions."""

    def __init__(self, packages):
        self.packages = packages

    def find_spec(self, fullname, path=None, target=None):
        del path, target
        root, leaf = fullname.split(".")[0], fullname.rpartition(".")[2]
        compiled = root == "vllm" and "." in fullname and leaf.startswith("_") and leaf.endswith(_COMPILED)
        if compiled or root in self.packages:
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec):
        module = _Module(spec.name)
        module.__path__ = []
        module.__file__ = "stand-in"
        return module

    def exec_module(self, module):
        """Nothing is to be run."""


def install():
    """Have the imports of absent extensions answered."""
    absent = tuple(name for name in _CUDA_PACKAGES if importlib.machinery.PathFinder.find_spec(name) is None)
    sys.meta_path.insert(0, _Finder(absent))
