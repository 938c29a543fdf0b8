"""Accelerators that are no row of `gpus.toml`, and what is true of vLLM on them: `accelerators.toml`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from generator.catalogue.gpu_words import dashed
from generator.catalogue.loader import Row, Source, packaged_rows

_MAKERS = re.compile(r"^(?:(?:amd|instinct|radeon|intel|habana)-)+(?=.)")


class AcceleratorRow(Row):
    """What is said of every name that a pattern matches."""

    name: str
    pattern: Annotated[str, Field(min_length=1)]
    answer: Annotated[str, Field(min_length=1)]
    source: Source


def all_accelerators() -> tuple[AcceleratorRow, ...]:
    """Every row of the table, in the order in which names are compared with them."""
    return packaged_rows("accelerators.toml", "accelerator", AcceleratorRow)


def accelerator_named(name: str) -> AcceleratorRow | None:
    """The row that speaks of this name; None where none does."""
    words = _MAKERS.sub("", dashed(name))
    return next((row for row in all_accelerators() if re.fullmatch(row.pattern, words)), None)
