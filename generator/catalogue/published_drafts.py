"""Heads that are published to draft for a model (`published_drafts.toml`)."""

from __future__ import annotations

from generator.catalogue.loader import Row, packaged_rows
from generator.models.published_draft import PublishedDraft


class PublishedDraftRow(Row, PublishedDraft):
    """One row of `published_drafts.toml`; the columns are the value's own."""


def all_drafts() -> tuple[PublishedDraft, ...]:
    """Every row of the table, in its order."""
    return packaged_rows("published_drafts.toml", "draft", PublishedDraftRow)


def drafts_of(*names: str) -> tuple[PublishedDraft, ...]:
    """The heads of the models of these names, compared without regard to case."""
    asked = {name.casefold() for name in names if name}
    return tuple(row for row in all_drafts() if row.model.casefold() in asked)
