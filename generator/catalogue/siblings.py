"""Checkpoints of the same weights in a smaller format: `siblings_of(model_id)`; only such as exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from generator.catalogue.loader import Row, Source, Words, packaged_rows
from generator.catalogue.models import embedded_model

if TYPE_CHECKING:
    from generator.models.checkpoint import ModelFacts


class SiblingRow(Row):
    """One model and its quantized checkpoints, by Hub id."""

    name: str = Field(min_length=1)
    siblings: Words
    source: Source


def all_siblings() -> tuple[SiblingRow, ...]:
    """Every row of `siblings.toml`, in its order."""
    return packaged_rows("siblings.toml", "model", SiblingRow)


def siblings_of(model_id: str) -> tuple[ModelFacts, ...]:
    """Embedded facts of the checkpoints that a model can be replaced with, those of the most bits first.

    A sibling's own siblings are the smaller ones of its row; the id is compared without regard to case.
    """
    asked = model_id.casefold()
    for row in all_siblings():
        line = [name.casefold() for name in (row.name, *row.siblings)]
        if asked in line:
            return tuple(embedded_model(name) for name in row.siblings[line.index(asked) :])
    return ()


def larger_of(model_id: str) -> str:
    """The model whose weights this one stores in fewer bits; empty where it is no sibling of the table."""
    asked = model_id.casefold()
    rows = (row.name for row in all_siblings() if asked in {name.casefold() for name in row.siblings})
    return next((name for name in rows if name.casefold() != asked), "")
