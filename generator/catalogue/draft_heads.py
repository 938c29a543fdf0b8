"""Draft heads: classes that vLLM builds to draft from their target's states, and drafts published for a model."""

from generator.catalogue.loader import Row, Source, packaged_rows
from generator.models.checkpoint import ModelFacts
from generator.models.draft_heads import DraftHead
from generator.models.model_class import ModelClasses
from generator.models.published_drafts import PublishedDraft


class DraftHeadRow(Row, DraftHead):
    """One row of `draft_heads.toml`; the columns are the value's own."""

    source: Source


def all_heads() -> tuple[DraftHead, ...]:
    """Every head of the table, in its order."""
    return packaged_rows("draft_heads.toml", "head", DraftHeadRow)


def heads_of(classes: ModelClasses) -> tuple[DraftHead, ...]:
    """The heads whose class the release has; those of another framework's name are in each."""
    return tuple(head for head in all_heads() if classes.of(head.name).served)


def head_of(name: str) -> DraftHead | None:
    """The head of a class that config.json names; None for any other class."""
    return next((head for head in all_heads() if head.name == name), None)


class PublishedDraftRow(Row, PublishedDraft):
    """One row of `published_drafts.toml`; the columns are the value's own."""


def all_published() -> tuple[PublishedDraft, ...]:
    """Every row of the table, in its order."""
    return packaged_rows("published_drafts.toml", "draft", PublishedDraftRow)


def drafts_of(*names: str) -> tuple[PublishedDraft, ...]:
    """The drafts of the models of these names, compared without regard to case."""
    asked = {name.casefold() for name in names if name}
    return tuple(row for row in all_published() if row.model.casefold() in asked)


def published_head(name: str) -> ModelFacts | None:
    """Facts of the head with this Hub id, upper and lower case alike; None where its shapes are not in the table."""
    asked = name.casefold()
    return next((row.facts for row in all_published() if row.draft.casefold() == asked and row.facts), None)
