"""Figures of options, smaller is better in each, and their words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from generator.models.estimate import Estimate
from generator.models.parallelism import Layout
from generator.planning.choosing.choice import NO_SPEED, is_cramped
from generator.planning.costs import cost
from generator.presenting.text import duration_text, plural, tokens_text

if TYPE_CHECKING:
    from generator.planning.case import Case
    from generator.planning.choosing.scored import Scored


class Advantage(NamedTuple):
    """A way to be better: its name, its figure, and how the figure reads."""

    name: str
    figure: Callable[[Case, Scored], float]
    words: Callable[[Case, Scored], str]


def objective_words(case: Case, option: Scored) -> str:
    """What options are compared by, in words."""
    found = option.estimate
    if found is None:
        return plural(option.candidate.layout.ranks, "GPU")
    if case.request.batching_mode == "latency":
        return f"surely {duration_text(found.e2e_ms.high)} a request"
    context = int(option.candidate.context.value)
    short = f" in a context of {tokens_text(context)}" if is_cramped(case, option.candidate) else ""
    return f"surely {found.output_tokens_per_s.low:,.0f} tokens/s{short}"


def layout_words(layout: Layout, servers: int = 1) -> str:
    """A layout as people write it: `TP 4 x 2 replicas`, `TP 1 on each of 8 servers`."""
    parts = [f"TP {layout.tensor_parallel_size}"]
    if layout.pipeline_parallel_size > 1:
        parts.append(plural(layout.pipeline_parallel_size, "stage"))
    if layout.data_parallel_size > 1:
        parts.append(plural(layout.data_parallel_size, "replica"))
    told = " x ".join(parts) + (" with whole experts" if layout.enable_expert_parallel else "")
    shared = layout.decode_context_parallel_size
    told += f", caches divided over {shared}" if shared > 1 else ""
    return f"{told} on each of {servers} servers" if servers > 1 else told


def gap_words(_: Case, option: Scored) -> str:
    """The gap between two tokens."""
    return f"{option.estimate.tpot_ms.mean:,.1f} ms a token" if option.estimate else "no known speed"


def rate(found: Estimate | None) -> float:
    """Tokens a second, mean; 0 where it is not known."""
    return found.output_tokens_per_s.mean if found else 0.0


def rate_words(_: Case, option: Scored) -> str:
    """Tokens a second."""
    return f"{rate(option.estimate):,.0f} tokens/s"


def _ranks(case: Case, option: Scored) -> float:
    return float(option.candidate.layout.ranks * case.servers)


def _ranks_words(case: Case, option: Scored) -> str:
    return plural(option.candidate.layout.ranks * case.servers, "GPU")


def _gap(_: Case, option: Scored) -> float:
    return option.estimate.tpot_ms.high if option.estimate else NO_SPEED


def _slowness(_: Case, option: Scored) -> float:
    return 1 / option.estimate.output_tokens_per_s.low if option.estimate else NO_SPEED


def _price(case: Case, option: Scored) -> float:
    found, pace = cost(case, option.candidate, option.estimate), option.estimate
    if found is None or pace is None:
        return NO_SPEED
    return found.cost_per_million_output_tokens * pace.output_tokens_per_s.mean / pace.output_tokens_per_s.low


def _price_words(case: Case, option: Scored) -> str:
    found = cost(case, option.candidate, option.estimate)
    return f"{found.cost_per_million_output_tokens:,.2f} per million tokens" if found else "no known price"


def _shortness(_: Case, option: Scored) -> float:
    return 1 / max(1, int(option.candidate.context.value))


def _length_words(_: Case, option: Scored) -> str:
    return f"context {tokens_text(int(option.candidate.context.value))}"


KINDS = (
    Advantage("cheaper", _price, _price_words),
    Advantage("fewer GPUs", _ranks, _ranks_words),
    Advantage("shorter gaps between tokens", _gap, gap_words),
    Advantage("more tokens per second", _slowness, rate_words),
    Advantage("longer context", _shortness, _length_words),
)
"""Ways in which a layout may beat the chosen one, each at the pessimistic end of its range, as layouts are chosen."""
