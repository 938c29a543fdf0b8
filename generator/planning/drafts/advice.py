"""What a colleague would say about speculation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from generator.planning.case import Case
    from generator.planning.drafts.draft import Draft


def draft_advice(case: Case) -> Iterator[str]:
    """What a colleague would say about speculation: what no estimate knows, and what the launchers do not do."""
    spoken = case.fixed.get("speculative_config")
    if spoken is None:
        if case.load.acceptance_rate:
            yield "--acceptance-rate says nothing here: no tokens are drafted without speculative_config."
        return
    if not case.load.acceptance_rate:
        known = case.published.kept if case.published else None
        how = (
            f"with {known.rate * 10:.1f} of 10 drafted tokens kept, which give {known.length:g} tokens a step of "
            f"{known.tokens} drafted, as measured ({known.source})"
            if known
            else "without speculation"
        )
        yield (
            f"Times and rates are estimated {how}: state what your traffic keeps with --acceptance-rate "
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
        named = "name it in speculative_config and plan" if case.drafts_chosen else "plan again"
        yield f"The facts of {facts.id} are embedded, without a revision: {named} with the Hub to pin one."
    context = case.asked_context or case.model_context
    if draft.method == "draft_model" and own < context:
        yield f"{facts.id} reads {own:,} tokens at most: longer requests are answered without drafts."
