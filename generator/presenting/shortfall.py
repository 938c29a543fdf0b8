"""Why a plan does not fit, as one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.presenting.text import gib_text, plural

if TYPE_CHECKING:
    from generator.models.plan import Plan


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
