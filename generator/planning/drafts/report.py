"""What a draft model takes of a candidate, and the sentence that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.plan import DraftSummary
from generator.presenting.text import gib_text, plural

if TYPE_CHECKING:
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case


def draft_summary(case: Case, chosen: Candidate) -> DraftSummary | None:
    """The draft model with what it takes of one rank; None where nothing is loaded for drafting."""
    draft = case.draft
    if draft is None:
        return None
    return DraftSummary(
        id=draft.facts.id,
        revision=draft.facts.revision,
        source=draft.facts.source,
        method=draft.method,
        architecture=draft.architecture.architecture,
        num_speculative_tokens=case.speculation.num_speculative_tokens or 0,
        weights_bytes=chosen.weights.stages[-1].by_part.get("draft", 0),
        cache_bytes_per_token=_cache_bytes_per_token(chosen),
    )


def draft_reason(case: Case, chosen: Candidate) -> str:
    """Why `speculative_config` is as it is, with what the draft costs; empty where nothing is to be said of it."""
    found = draft_summary(case, chosen)
    if found is None:
        return _chosen_words(case) if case.drafts_chosen else ""
    why = _chosen_words(case) if case.drafts_chosen else "you set it"
    pinned = ", at the commit that the plan was made for" if found.revision else ""
    kept = gib_text(found.cache_bytes_per_token * int(chosen.context.value))
    drafted = plural(found.num_speculative_tokens, "token")
    return (
        f"{why}: {found.id} drafts {drafted} a step{pinned}; {gib_text(found.weights_bytes)} of weights and "
        f"{kept} of cache for a full context on each GPU"
    )


def _chosen_words(case: Case) -> str:
    """Why the planner drafts: what was measured of this draft, or what the user's traffic keeps."""
    known, stated = case.published.kept if case.published else None, case.load.acceptance_rate
    if stated or known is None:
        return f"it shortens a request with {stated * 10:.1f} of 10 drafted tokens kept, as you state"
    return (
        f"it shortens a request even with a fifth fewer kept than the {known.rate * 10:.1f} of 10 drafted tokens that "
        f"were measured ({known.source})"
    )


def _cache_bytes_per_token(chosen: Candidate) -> int:
    """Cache that the draft adds for one token of a full context, on a rank of the last stage."""
    length = int(chosen.context.value)
    without = chosen.replica.with_settings(draft=None).cache.request_bytes(length)[-1]
    return max(0, chosen.cache.request_bytes(length)[-1] - without) // length
