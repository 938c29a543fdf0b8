"""Ways to draft for a model that nobody asked for: its own layers, heads that are published for it, n-grams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from generator.models.published_drafts import PublishedDraft
from generator.models.release import release_key
from generator.planning.drafts.layouts import own_layers, parts_drafts

if TYPE_CHECKING:
    from generator.models.parallelism import Layout
    from generator.planning.case import Case

CONFIG = "speculative_config"
_ONE_BY_ONE = frozenset({"eagle", "eagle3"})
"""Methods that read the head once a drafted token, so that fewer of them cost less."""
_FEW = 3
"""Tokens that most heads are published with."""


class Way(NamedTuple):
    """One way to draft: the engine value, and what is known of the draft."""

    config: dict[str, Any]
    known: PublishedDraft | None

    @property
    def rate(self) -> float:
        """The chance that a drafted token is kept, as measured of this draft; 0 where nobody measured it."""
        return self.known.kept.rate if self.known and self.known.kept else 0.0


def ways(case: Case, layout: Layout) -> Iterator[Way]:
    """Every way whose memory can be planned; none where the user decides."""
    if not case.chooses(CONFIG) or case.pooling:
        return
    own = own_drafts(case, layout)
    rows = case.tables.drafts
    if own is not None:
        yield Way(own, next((row for row in rows if row.method == "mtp"), None))
    for row in rows:
        if row.facts:
            yield Way(config_of(row), row)
            if row.tokens > _FEW and row.method in _ONE_BY_ONE:
                yield Way(config_of(row) | {"num_speculative_tokens": _FEW}, row)


def own_drafts(case: Case, layout: Layout) -> dict[str, Any] | None:
    """`speculative_config` with the layers that the checkpoint ships; None where it has none, or the user decides.

    None too where the release lacks them, or would part them into the stages of this layout.
    """
    family = case.tables.serving.family
    if family is None or not (family.mtp_tokens and case.architecture.drafts and case.model_class.draft_class):
        return None
    known = release_key(case.release) >= release_key(family.mtp_since) if family.mtp_since else True
    if not known or not case.chooses(CONFIG) or parts_drafts(case, layout, own_layers(case)):
        return None
    return {"method": "mtp", "num_speculative_tokens": family.mtp_tokens}


def config_of(row: PublishedDraft) -> dict[str, Any]:
    """`speculative_config` that drafts with a published head."""
    return {"model": row.draft, "method": row.method, "num_speculative_tokens": row.tokens}
