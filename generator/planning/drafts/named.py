"""The draft model that an engine value names: whether facts are its own, and where it was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from generator.models.checkpoint import ModelFacts


def pinned_draft(fixed: dict[str, Any], facts: ModelFacts) -> dict[str, Any]:
    """The engine values with the draft model where it lies, at the commit that it was read at."""
    config, draft = fixed.get("speculative_config"), facts.draft
    if draft is None or not isinstance(config, dict) or not is_named(draft, str(config.get("model") or "")):
        return fixed
    pin = {"revision": draft.revision} if draft.revision else {}
    return fixed | {"speculative_config": config | {"model": draft.id} | pin}


def is_named(facts: ModelFacts, name: str) -> bool:
    """Whether the facts are those of `name`: the same id, or a directory of that name."""
    if facts.source == "local":
        return facts.id.rstrip("/").rsplit("/", 1)[-1] == name.rstrip("/").rsplit("/", 1)[-1]
    return facts.id.lower() == name.lower()
