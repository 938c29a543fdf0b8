"""What a draft model adds to a candidate: weights, cache, and the sentences about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.plan import DraftSummary
from generator.planning.defaults import BatchLimits
from generator.planning.drafts.draft import draft_weights, with_draft
from generator.planning.kv_cache.layout import cache_layout
from generator.planning.memory.overhead import rotary_tables
from generator.planning.weights.rank import DTYPES
from generator.presenting.text import gib_text, plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from generator.models.parallelism import Layout
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case
    from generator.planning.drafts.draft import Draft
    from generator.planning.weights import RankWeights


def with_draft_of(case: Case, layout: Layout, weights: RankWeights) -> RankWeights:
    """The weights with those of the case's draft model on the last pipeline stage; unchanged where there is none."""
    draft = case.draft
    if draft is None:
        return weights
    asked = case.fixed.get("dtype", "auto")
    dtype = case.architecture.dtype if asked == "auto" else asked
    size = draft_weights(draft, case.architecture, layout, capability=case.gpu.capability, dtype=dtype)
    if draft.method == "draft_model":
        size += rotary_tables(draft.architecture, DTYPES[dtype].bytes_for(1), case.vllm)
    return with_draft(weights, size)


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
        cache_bytes_per_token=_cache_bytes_per_token(case, chosen),
    )


def draft_reason(case: Case, chosen: Candidate) -> str:
    """Why `speculative_config` is as it is, with what the draft costs; empty where no draft is loaded."""
    found = draft_summary(case, chosen)
    if found is None:
        return ""
    pinned = ", at the commit that the plan was made for" if found.revision else ""
    kept = gib_text(found.cache_bytes_per_token * int(chosen.context.value))
    drafted = plural(found.num_speculative_tokens, "token")
    return (
        f"you set it: {found.id} drafts {drafted} a step{pinned}; {gib_text(found.weights_bytes)} of weights and "
        f"{kept} of cache for a full context on each GPU"
    )


def draft_advice(case: Case) -> Iterator[str]:
    """What a colleague would say about speculation: what no estimate knows, and what the launchers do not do."""
    spoken = case.fixed.get("speculative_config")
    if spoken is None:
        if case.load.acceptance_rate:
            yield "--acceptance-rate says nothing here: no tokens are drafted without speculative_config."
        return
    if not case.load.acceptance_rate:
        yield (
            "Times and rates are estimated without speculation: state what your traffic keeps with --acceptance-rate "
            "(vllm:spec_decode_num_accepted_tokens_total over vllm:spec_decode_num_draft_tokens_total)."
        )
    draft = case.draft
    if draft is not None:
        yield from _advice_about(case, draft)


def _advice_about(case: Case, draft: Draft) -> Iterator[str]:
    facts, own = draft.facts, draft.facts.architecture.max_position_embeddings
    if facts.source == "local":
        yield (
            f"Containers see {facts.id} at that path, from templates 1.4.0 on; with an older one mount it there "
            "(vllm-wizard update --upgrade)."
        )
    elif case.facts.source == "local":
        yield (
            f"Containers of a model on this disk fetch nothing (HF_HUB_OFFLINE): have {facts.id} in their cache, or on "
            "this disk too."
        )
    if facts.source == "embedded":
        yield f"The facts of {facts.id} are embedded, without a revision: plan again with the Hub to pin one."
    context = case.asked_context or case.model_context
    if draft.method == "draft_model" and own < context:
        yield f"{facts.id} reads {own:,} tokens at most: longer requests are answered without drafts."


def _cache_bytes_per_token(case: Case, chosen: Candidate) -> int:
    """Cache that the draft adds for one token of a full context, on a rank of the last stage."""
    length = int(chosen.context.value)
    limits = BatchLimits(int(chosen.sequences.value), int(chosen.tokens.value))
    alone = case.cache_settings(limits).model_copy(update={"draft": None})
    without = cache_layout(case.architecture, chosen.layout, alone).request_bytes(length)[-1]
    return max(0, chosen.cache.request_bytes(length)[-1] - without) // length
