"""A plan of sessions as text: lines of at most 80 letters for figures of usual size."""

from collections.abc import Iterator

from generator.models.sessions import SessionPlan
from generator.presenting.text import gib_text, plural


def lines_of(found: SessionPlan) -> tuple[str, ...]:
    """What is kept, what bounds, and what the host's memory is for, as lines for people."""
    asked, plan, computed = found.asked, found.plan, found.computed_tokens
    return (
        f"{plan.model.id} on {plural(plan.layout.ranks, 'GPU')} {plan.cluster.gpu.name}",
        f"sessions  {asked.live:,} live, {found.busy:,} of them answered or waiting at once",
        f"context   {asked.mean_prompt_tokens:,} tokens of prompt on average, {asked.last_tokens:,} at the end",
        f"a turn    computes {computed['gpu']:,} tokens of its prompt where the GPUs keep its session",
        f"          {computed['host']:,} where the host's memory does, {computed['nowhere']:,} where nobody does",
        f"kept      {found.kept.gpu:,} sessions in the GPUs' cache, {found.kept.host:,} in the host's memory",
        *_offloaded(found),
        *_ceilings(found),
        f"binds     {found.binds or 'nothing: all are carried'}",
    )


def _ceilings(found: SessionPlan) -> Iterator[str]:
    for number, one in enumerate(found.ceilings):
        head = "" if number else "at most"
        most = "not known" if one.sessions is None else f"{one.sessions:,} by {one.limit}"
        yield f"{head:<10}{most}: {one.why}"


def _offloaded(found: SessionPlan) -> Iterator[str]:
    one = found.offload
    if one is not None:
        yield f"offload   kv_offloading_size {one.size_gib:g}: {gib_text(one.held_bytes)} of each engine in /dev/shm"
        yield f"          {one.chunks:,} chunks of {one.chunk_bytes:,} bytes"
