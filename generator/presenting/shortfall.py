"""Why a plan does not fit, as one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.presenting.text import gib_text, plural

if TYPE_CHECKING:
    from generator.models.plan import Plan


def shortfall_line(plan: Plan) -> str:
    """One line: by how much the plan does not fit, and the next step."""
    short = plan.feasibility.shortfall_bytes
    first = f"; try {' '.join(plan.repairs[0].flags)} ({plan.repairs[0].title})" if plan.repairs else ""
    return (
        f"{plan.model.id} does not fit on {plural(plan.layout.ranks, 'GPU')} of {plan.cluster.gpu.name}: "
        f"{short:,} bytes ({gib_text(short)}) short on each{first}"
    )
