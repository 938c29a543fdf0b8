"""Why a plan does not fit, as one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import InfeasiblePlanError
from generator.presenting.text import gib_text, plural

if TYPE_CHECKING:
    from generator.models.plan import Plan, Repair


def infeasible(plan: Plan, repairs: tuple[Repair, ...] = ()) -> InfeasiblePlanError:
    """The error of a plan that does not fit; with the repairs that nobody has shown yet."""
    return InfeasiblePlanError(shortfall_line(plan), shortfall_bytes=plan.feasibility.shortfall_bytes, repairs=repairs)


def shortfall_line(plan: Plan) -> str:
    """One line: by how much the plan does not fit, and the next step."""
    short = plan.feasibility.shortfall_bytes
    first = ""
    if plan.repairs:
        costs = ", which costs accuracy" if "costs accuracy" in plan.repairs[0].title else ""
        first = f"; try {' '.join(plan.repairs[0].flags)}{costs}"
    return (
        f"{plan.model.id} does not fit on {plural(plan.layout.ranks, 'GPU')} of {plan.cluster.gpu.name}: "
        f"{gib_text(short)} short on each{first}"
    )
