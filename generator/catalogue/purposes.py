"""What embedded models are made for: `purposes.toml`, and what their shapes and families say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from generator.catalogue.loader import Row, Source, packaged_rows
from generator.models.held import Purpose  # noqa: TC001 - a row reads it

if TYPE_CHECKING:
    from generator.models.checkpoint import ModelFacts
    from generator.models.serving import Serving


_TUNED = re.compile(r"-(?:instruct|chat|it)\b", re.IGNORECASE)
"""Words of a repository's name that say that the model was tuned to follow instructions."""


class PurposeRow(Row):
    """Models by their Hub ids that are made for one purpose."""

    name: Purpose
    models: Annotated[str, Field(min_length=1)]
    """Expression that a whole id matches."""
    source: Source


def purposes_of(facts: ModelFacts, serving: Serving, *, pools: bool) -> tuple[Purpose, ...]:
    """What the model can be asked for, in alphabetical order; `pools` says that it answers with vectors or scores."""
    family = serving.family
    tuned = family is not None or _TUNED.search(facts.id) is not None
    by_shape: dict[Purpose, bool] = {
        "chat": tuned and not serving.base and not pools,
        "embed": pools,
        "reasoning": bool(family and family.reasoning_parser) and not serving.base,
        "tools": bool(family and family.tool_call_parser) and not serving.base,
        "vision": bool(facts.architecture.towers),
    }
    listed = packaged_rows("purposes.toml", "purpose", PurposeRow)
    named = {row.name for row in listed if re.fullmatch(row.models, facts.id, re.IGNORECASE)}
    return tuple(sorted(named | {name for name, holds in by_shape.items() if holds}))
