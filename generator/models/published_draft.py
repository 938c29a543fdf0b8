"""PublishedDraft: a head that drafts for a model, and how it is used."""

from __future__ import annotations

from pydantic import Field

from generator.models.draft_heads import HeadMethod
from generator.models.value import Value


class PublishedDraft(Value):
    """One head that is published for one model."""

    model: str = Field(min_length=1)
    """Hub id of the model that it drafts for."""
    draft: str = Field(min_length=1)
    """Hub id of the head."""
    method: HeadMethod
    tokens: int = Field(ge=1)
    """Tokens that its publisher drafts a step."""
    source: str = Field(min_length=1)
