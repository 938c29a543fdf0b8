"""Draft heads: classes that vLLM builds to draft from their target's states, and heads published for a model."""

from generator.catalogue.loader import Row, Source, packaged_rows
from generator.models.draft_heads import DraftHead, PublishedDraft
from generator.models.model_class import ModelClasses


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


def drafts_of(*names: str) -> tuple[PublishedDraft, ...]:
    """The heads of the models of these names, compared without regard to case."""
    asked = {name.casefold() for name in names if name}
    return tuple(
        row
        for row in packaged_rows("published_drafts.toml", "draft", PublishedDraftRow)
        if row.model.casefold() in asked
    )
