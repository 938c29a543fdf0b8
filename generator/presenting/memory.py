"""One rank's memory as rows and as a bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.presenting.text import gib_text, interval_text

if TYPE_CHECKING:
    from generator.models.plan import MemoryBudget

_ITEMS = (
    ("Weights", "weights_bytes", "#4c78a8"),
    ("Outside PyTorch", "non_torch_bytes", "#9d755d"),
    ("Activation peak", "activation_peak_bytes", "#f58518"),
    ("CUDA graphs", "cuda_graph_bytes", "#b279a2"),
    ("KV cache", "kv_cache_available_bytes", "#54a24b"),
)
_WIDTH, _HEIGHT = 720, 28


def memory_rows(memory: MemoryBudget) -> tuple[tuple[str, str], ...]:
    """Rows of one rank's budget: label and figure, vLLM's own order, the pool last."""
    rows = [(label, interval_text(getattr(memory, name))) for label, name, _ in _ITEMS]
    unused = memory.gpu_total_bytes.expected - memory.requested_bytes.expected
    total = gib_text(memory.gpu_total_bytes.expected)
    return (*rows, ("Left to the GPU", gib_text(unused)), ("GPU", total))


def memory_shares(memory: MemoryBudget) -> tuple[tuple[str, float], ...]:
    """Label and share of the GPU of every item, in drawing order; negative items count as nothing."""
    total = memory.gpu_total_bytes.expected
    return tuple((label, max(0, getattr(memory, name).expected) / total) for label, name, _ in _ITEMS)


def memory_bar_svg(memory: MemoryBudget) -> str:
    """One rank's budget as an SVG bar; colours tell the items apart, titles name them."""
    colours = {label: colour for label, _, colour in _ITEMS}
    x, bars = 0.0, []
    for label, share in memory_shares(memory):
        width = share * _WIDTH
        bars.append(
            f'<rect x="{x:.1f}" y="0" width="{width:.1f}" height="{_HEIGHT}" fill="{colours[label]}">'
            f"<title>{label}: {share:.0%}</title></rect>"
        )
        x += width
    frame = f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#eeeeee"/>'
    size = f'width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">{frame}{"".join(bars)}</svg>'
