"""One rank's memory as rows and as shares of a bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.interval import ByteInterval
from generator.presenting.text import gib_text, interval_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from generator.models.plan import MemoryBudget

_ITEMS = (
    ("Weights", "weights_bytes"),
    ("Outside PyTorch", "non_torch_bytes"),
    ("Activation peak", "activation_peak_bytes"),
    ("CUDA graphs", "cuda_graph_bytes"),
    ("KV cache", "kv_cache_available_bytes"),
)

DRAFT_LABEL = "Draft weights"


def memory_rows(memory: MemoryBudget) -> tuple[tuple[str, str], ...]:
    """Rows of one rank's budget: label and figure, vLLM's own order, the pool last."""
    rows = [(label, interval_text(figure)) for label, figure in _items(memory)]
    unused = memory.gpu_total_bytes.expected - memory.requested_bytes.expected
    total = gib_text(memory.gpu_total_bytes.expected)
    return (*rows, ("Left to the GPU", gib_text(unused)), ("GPU", total))


def memory_shares(memory: MemoryBudget) -> tuple[tuple[str, float], ...]:
    """Label and share of the GPU of every item, in drawing order; negative items count as nothing."""
    total = memory.gpu_total_bytes.expected
    return tuple((label, max(0, figure.expected) / total) for label, figure in _items(memory))


def _items(memory: MemoryBudget) -> Iterator[tuple[str, ByteInterval]]:
    """Label and figure of every item; a draft model's weights are an item of their own."""
    drafted = memory.draft_weights_bytes
    for label, name in _ITEMS:
        figure: ByteInterval = getattr(memory, name)
        if name != "weights_bytes" or not drafted:
            yield label, figure
            continue
        yield (
            label,
            ByteInterval(expected=figure.expected - drafted, low=figure.low - drafted, high=figure.high - drafted),
        )
        yield DRAFT_LABEL, ByteInterval.exact(drafted)
