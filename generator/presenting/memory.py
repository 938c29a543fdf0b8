"""One rank's memory as rows and as shares of a bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.presenting.text import gib_text, interval_text

if TYPE_CHECKING:
    from generator.models.plan import MemoryBudget

_ITEMS = (
    ("Weights", "weights_bytes"),
    ("Outside PyTorch", "non_torch_bytes"),
    ("Activation peak", "activation_peak_bytes"),
    ("CUDA graphs", "cuda_graph_bytes"),
    ("KV cache", "kv_cache_available_bytes"),
)


def memory_rows(memory: MemoryBudget) -> tuple[tuple[str, str], ...]:
    """Rows of one rank's budget: label and figure, vLLM's own order, the pool last."""
    rows = [(label, interval_text(getattr(memory, name))) for label, name in _ITEMS]
    if memory.draft_weights_bytes:
        rows.insert(1, ("of which the draft model", gib_text(memory.draft_weights_bytes)))
    unused = memory.gpu_total_bytes.expected - memory.requested_bytes.expected
    total = gib_text(memory.gpu_total_bytes.expected)
    return (*rows, ("Left to the GPU", gib_text(unused)), ("GPU", total))


def memory_shares(memory: MemoryBudget) -> tuple[tuple[str, float], ...]:
    """Label and share of the GPU of every item, in drawing order; negative items count as nothing."""
    total = memory.gpu_total_bytes.expected
    return tuple((label, max(0, getattr(memory, name).expected) / total) for label, name in _ITEMS)
