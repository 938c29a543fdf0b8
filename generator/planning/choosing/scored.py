"""Candidates with what they would give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from generator.models.estimate import Estimate
from generator.planning.speed.estimates import speed

if TYPE_CHECKING:
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case


class Scored(NamedTuple):
    """A candidate and its estimate under the workload."""

    candidate: Candidate
    estimate: Estimate | None


def scored(case: Case, candidates: Sequence[Candidate]) -> tuple[Scored, ...]:
    """The candidates with their estimates."""
    return tuple(Scored(one, speed(case, one)) for one in candidates)
