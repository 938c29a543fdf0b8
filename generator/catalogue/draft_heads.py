"""Draft heads: classes that vLLM builds to draft from their target's states, and drafts published for a model."""

from functools import cache
from typing import Any

from generator.catalogue.loader import Row, Source, packaged_rows, read, row, table
from generator.models.checkpoint import ModelFacts
from generator.models.draft_heads import DraftHead
from generator.models.model_class import ModelClasses
from generator.models.published_drafts import PublishedDraft

_PUBLISHED = "published_drafts.toml"


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
    return packaged_rows(_PUBLISHED, "draft", PublishedDraftRow)


def drafts_of(*names: str) -> tuple[PublishedDraft, ...]:
    """The drafts of the models of these names, compared without regard to case; no other row is checked."""
    return _rows("model", *names)


def published_head(name: str) -> ModelFacts | None:
    """Facts of the head with this Hub id, upper and lower case alike; None where its shapes are not in the table."""
    return next((one.facts for one in _rows("draft", name) if one.facts), None)


def _rows(column: str, *names: str) -> tuple[PublishedDraft, ...]:
    asked, file = {name.casefold() for name in names if name}, table(_PUBLISHED)
    listed = [one for one in _listed() if str(one.get(column)).casefold() in asked]
    return tuple(row(file, str(one.get("draft")), one, PublishedDraftRow) for one in listed)


@cache
def _listed() -> tuple[dict[str, Any], ...]:
    """The table's rows as they stand."""
    return tuple(read(table(_PUBLISHED))["draft"])
