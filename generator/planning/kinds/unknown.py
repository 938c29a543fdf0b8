"""The end of every ladder over kinds: the type checker proves that no kind of a union gets there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import UnsupportedArchitectureError

if TYPE_CHECKING:
    from typing import Never


def unknown_kind(kind: Never, what: str) -> UnsupportedArchitectureError:
    """The error to raise for a kind that no rule is about; `what` is what the rule would say."""
    name = getattr(kind, "kind", type(kind).__name__)
    return UnsupportedArchitectureError(f"no rule says {what} for layers of kind {name!r}: they cannot be planned yet")
