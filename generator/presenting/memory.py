"""One rank's memory as rows and as the cells of a bar."""

from collections.abc import Iterator

from generator.models.interval import ByteInterval
from generator.models.plan import MemoryBudget, Plan
from generator.presenting.text import gib_text, interval_text

_ITEMS = (
    ("Weights", "weights_bytes"),
    ("Outside PyTorch", "non_torch_bytes"),
    ("Activation peak", "activation_peak_bytes"),
    ("CUDA graphs", "cuda_graph_bytes"),
    ("KV cache", "kv_cache_available_bytes"),
)

DRAFT_LABEL = "Draft weights"
LEFT_LABEL, MISSING_LABEL = "Left to the GPU", "Missing"
SIGNS = {
    "Weights": "W",
    DRAFT_LABEL: "D",
    "Outside PyTorch": "O",
    "Activation peak": "A",
    "CUDA graphs": "G",
    "KV cache": "K",
    LEFT_LABEL: ".",
    MISSING_LABEL: "!",
}
"""A letter for each part, which tells it apart where there is no colour."""


def caches_nothing(plan: Plan) -> bool:
    """Whether the plan needs no cache, and not: has no room for one."""
    return plan.runner == "pooling" and plan.kv_cache is None and plan.feasibility.fits


def memory_rows(memory: MemoryBudget) -> tuple[tuple[str, str], ...]:
    """Rows of one rank's budget: label and figure, vLLM's own order, the pool last."""
    rows = [(label, interval_text(figure)) for label, figure in _items(memory)]
    unused = memory.gpu_total_bytes.expected - memory.requested_bytes.expected
    total = gib_text(memory.gpu_total_bytes.expected)
    return (*rows, (LEFT_LABEL, gib_text(unused)), ("GPU", total))


def with_missing(rows: tuple[tuple[str, str], ...], shortfall_bytes: int) -> tuple[tuple[str, str], ...]:
    """The rows with what is missing at their end, in place of what is left; as they are where nothing is."""
    if not shortfall_bytes:
        return rows
    return (*(row for row in rows if row[0] != LEFT_LABEL), (MISSING_LABEL, gib_text(shortfall_bytes)))


def memory_runs(memory: MemoryBudget, shortfall_bytes: int, cells: int) -> tuple[tuple[str, int], ...]:
    """Signs of a bar of `cells` cells and how many of each, in drawing order; negative items count as nothing.

    `k` is cache that the high end of the other items would take, `.` what vLLM leaves, `!` what is missing.
    """
    held = [(SIGNS[label], max(0, figure.expected)) for label, figure in _items(memory)]
    asked, total = memory.requested_bytes.expected, memory.gpu_total_bytes.expected
    cache = memory.kv_cache_available_bytes
    sure = max(0, min(cache.low, cache.expected))
    parts = [(sign, amount) for sign, amount in held if sign != "K"]
    if shortfall_bytes:
        parts = [*_cut(parts, asked), ("!", shortfall_bytes)]
    else:
        parts += [("K", sure), ("k", max(0, cache.expected - sure)), (".", max(0, total - asked))]
    return _rounded(parts, cells)


def _cut(parts: list[tuple[str, int]], most: int) -> Iterator[tuple[str, int]]:
    """The parts up to `most` bytes, which the last one is cut to."""
    left = most
    for sign, amount in parts:
        yield sign, min(amount, left)
        left -= min(amount, left)
    yield ".", left


def _rounded(parts: list[tuple[str, int]], cells: int) -> tuple[tuple[str, int], ...]:
    """Whole cells of each part, together `cells`: the edges are rounded, so that no rounding adds up."""
    whole, edge, drawn = sum(amount for _, amount in parts), 0, 0
    runs = []
    for sign, amount in parts:
        edge += amount
        until = round(edge * cells / whole) if whole else 0
        runs.append((sign, until - drawn))
        drawn = until
    return tuple(runs)


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
