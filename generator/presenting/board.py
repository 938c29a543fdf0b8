"""Different answers to one request side by side, a row each, in the width of a narrow terminal."""

from collections.abc import Sequence

from generator.models.plan import Plan
from generator.presenting.text import duration_text, short_tokens_text

HEADINGS = ("GPUs", "layout", "weights", "tokens", "room", "first", "each", "$/h", "risk")
_RIGHT = frozenset({"tokens", "room", "first", "each", "$/h"})
_WAYS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("  ", ()),
    (" ", ()),
    ("  ", ("layout",)),
    (" ", ("layout",)),
    (" ", ("layout", "$/h")),
)
"""What stands between two columns, and the columns that are left out: those that say least of a choice first."""
_VERDICTS = {"fits": "", "tight": "tight", "does_not_fit": "no"}


def board(plans: Sequence[tuple[Plan, str]], widest: int) -> tuple[str, ...]:
    """The headings, then one line for each plan and its checkpoint's quantization; none wider than `widest`.

    Where the lines are too wide, the columns that say least of a choice are left out: layout, then cost.
    """
    cells = [HEADINGS, *(_cells(plan, method) for plan, method in plans)]
    drawn = [_aligned(cells, *way) for way in _WAYS]
    return next((lines for lines in drawn if max(map(len, lines)) <= widest), drawn[-1])


def _aligned(cells: Sequence[tuple[str, ...]], gap: str, left_out: tuple[str, ...]) -> tuple[str, ...]:
    shown = [number for number, heading in enumerate(HEADINGS) if heading not in left_out]
    widths = {number: max(len(row[number]) for row in cells) for number in shown}
    return tuple(
        gap.join(
            row[number].rjust(widths[number]) if HEADINGS[number] in _RIGHT else row[number].ljust(widths[number])
            for number in shown
        ).rstrip()
        for row in cells
    )


def _cells(plan: Plan, method: str) -> tuple[str, ...]:
    cluster, found = plan.cluster, plan.estimate
    nodes = f"{cluster.nodes}x" if cluster.nodes > 1 else ""
    length = plan.engine.get("max_model_len")
    fits = plan.feasibility.verdict != "does_not_fit"
    return (
        f"{nodes}{_used(plan)}{cluster.gpus_per_node} {cluster.gpu.name}",
        _layout(plan),
        _weights(plan, method),
        short_tokens_text(length) if isinstance(length, int) and fits else "-",
        f"{plan.feasibility.max_concurrency_at_context:,}" if fits else "-",
        _short(duration_text(found.ttft_ms.mean)) if found else "-",
        _short(duration_text(found.tpot_ms.mean)) if found else "-",
        f"{plan.cost.cost_per_hour:.2f}" if plan.cost else "-",
        _VERDICTS[plan.feasibility.verdict] or plan.feasibility.oom_risk.lower(),
    )


def _short(duration: str) -> str:
    return duration.replace(" ", "")


def _used(plan: Plan) -> str:
    """How many of a node's GPUs the plan takes, where it leaves some to others."""
    ranks = plan.layout.ranks * max(len(plan.servers), 1)
    return f"{ranks} of " if ranks < plan.cluster.gpus_per_node else ""


def _layout(plan: Plan) -> str:
    """How the GPUs share the model: each degree above one; several servers with their number first."""
    sizes = plan.layout
    named = (
        ("tp", sizes.tensor_parallel_size),
        ("pp", sizes.pipeline_parallel_size),
        ("dp", sizes.data_parallel_size),
    )
    one = "".join(f"{name}{size}" for name, size in named if size > 1) or "1 GPU"
    return f"{len(plan.servers)} x {one}" if plan.servers else one


def _weights(plan: Plan, method: str) -> str:
    """Format of the weights, and of the cache where it has one of its own."""
    cache = plan.engine.get("kv_cache_dtype", "auto")
    weights = str(plan.engine.get("quantization") or method or "16-bit")
    return weights if cache == "auto" else f"{weights}/{str(cache)[:3]} kv"
