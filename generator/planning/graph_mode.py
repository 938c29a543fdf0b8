"""What CUDA graphs a server captures, by the user's engine values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    GraphMode = Literal["none", "piecewise", "full"]

_BY_NUMBER: tuple[GraphMode, ...] = ("none", "piecewise")
"""Modes by vLLM's number of them; each is also what the optimization level of that number sets."""


def graph_mode(fixed: Mapping[str, object], *, pools: bool) -> GraphMode:
    """Whether nothing is captured, pieces between attention layers only, or whole decode steps (`full`).

    vLLM 0.32 config/compilation.py (CUDAGraphMode), config/vllm.py (OPTIMIZATION_LEVEL_00 and _01; pooling captures
    pieces).
    """
    if fixed.get("enforce_eager"):
        return "none"
    compilation, level = fixed.get("compilation_config"), fixed.get("optimization_level")
    mode = compilation.get("cudagraph_mode") if isinstance(compilation, dict) else None
    if mode is None and level in range(len(_BY_NUMBER)):
        mode = level
    for number, word in enumerate(_BY_NUMBER):
        if str(mode).lower() in {word, str(number)} and mode is not None:
            return word
    return "piecewise" if pools and mode is None else "full"
