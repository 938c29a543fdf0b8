"""Prove a vLLM configuration on paper, generate its deployment repository, update it in place."""

from importlib import import_module
from typing import Any

__version__ = "1.11.0"
_HOMES = {
    "Plan": "generator.models.plan",
    "Request": "generator.models.request",
    "VLLMConfig": "generator.models.vllm",
    "load_profile": "generator.sources.profile",
    "plan": "generator.workflow",
}
__all__ = ["Plan", "Request", "VLLMConfig", "load_profile", "plan"]


def __getattr__(name: str) -> Any:
    """The public names, imported when first used: the command line must start in no time."""
    if name not in _HOMES:
        raise AttributeError(f"module 'generator' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
