"""The card that is pretended: vLLM is imported on an H100, and each question brings its own."""

from __future__ import annotations

from dataclasses import dataclass

SHARED_MEMORY = {
    (7, 0): (98304, 98304),
    (7, 5): (65536, 65536),
    (8, 0): (167936, 166912),
    (8, 6): (102400, 101376),
    (8, 9): (102400, 101376),
    (9, 0): (233472, 232448),
    (10, 0): (233472, 232448),
    (10, 3): (233472, 232448),
    (12, 0): (102400, 101376),
    (12, 1): (102400, 101376),
}
"""Bytes of one multiprocessor, and what one block may ask for: CUDA C++ Programming Guide, technical specifications."""


@dataclass
class Card:
    """One GPU of a node that has `count` of them."""

    capability: tuple[int, int]
    name: str = "NVIDIA H100 80GB HBM3"
    total_bytes: int = 80 << 30
    multiprocessors: int = 132
    count: int = 8

    @property
    def shared_memory(self) -> tuple[int, int]:
        """Bytes of shared memory: of a multiprocessor, of a block."""
        return SHARED_MEMORY[self.capability]


CARD = Card((9, 0))
"""The one card of this process; a question's child makes it its own."""
