"""Change: one change of a case, and the ways to make one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from generator.models.hardware import Cluster
from generator.models.parallelism import Layout

if TYPE_CHECKING:
    from generator.planning.case import Case

ACCURACY = "which costs accuracy"


class Change(NamedTuple):
    """One change of the case, and the options that make it."""

    kind: str
    title: str
    flags: tuple[str, ...]
    case: Case
    layout: Layout | None = None
    """The one layout that the change is tried on first; None to try all."""


def unset(*names: str) -> tuple[str, ...]:
    """The options that give these values back to the planner."""
    return tuple(word for name in names for word in ("--unset", name))


def without(case: Case, *names: str) -> Case:
    """The case with values of the user's given back to the planner."""
    fixed = {name: value for name, value in case.fixed.items() if name not in names}
    overrides = {name: value for name, value in case.request.overrides.items() if name.replace("-", "_") not in names}
    request = case.request.model_copy(update={"overrides": overrides})
    return case.changed(fixed=fixed, request=request)


def moved(case: Case, cluster: Cluster, stated: dict[str, Any]) -> Case:
    """The case on other GPUs, its request too."""
    return case.changed(cluster=cluster, request=case.request.model_copy(update=stated))
