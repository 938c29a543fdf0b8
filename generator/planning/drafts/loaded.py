"""Weights of a draft model beside those of its target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.planning.drafts.draft import draft_weights, with_draft
from generator.planning.memory.overhead import rotary_tables
from generator.planning.weights.rank import DTYPES

if TYPE_CHECKING:
    from generator.models.parallelism import Layout
    from generator.planning.case import Case
    from generator.planning.weights import RankWeights


def with_draft_of(case: Case, layout: Layout, weights: RankWeights) -> RankWeights:
    """The weights with those of the case's draft model on the last pipeline stage; unchanged where there is none."""
    draft = case.draft
    if draft is None:
        return weights
    dtype = case.dtype
    size = draft_weights(draft, case.architecture, layout, capability=case.gpu.capability, dtype=dtype)
    if draft.method == "draft_model":
        size += rotary_tables(draft.architecture, DTYPES[dtype].bytes_for(1), case.vllm)
    return with_draft(weights, size)
