"""make_plan(): from a case to the whole proof; pure, deterministic, no look-ups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.models.plan import Plan
from generator.models.vllm import VLLMConfig
from generator.planning import advice, checks, parts, repairs
from generator.planning.candidate import evaluate
from generator.planning.case import Case
from generator.planning.choice import alternatives, best, scored
from generator.planning.decisions import decisions
from generator.planning.draft_report import draft_summary
from generator.planning.estimates import cost
from generator.planning.layouts import candidate_layouts, fixed_sizes

if TYPE_CHECKING:
    from generator.models.checkpoint import ModelFacts
    from generator.models.hardware import Cluster
    from generator.models.request import Request
    from generator.planning.candidate import Candidate
    from generator.planning.case import Tables
    from generator.planning.choice import Scored


def make_plan(request: Request, facts: ModelFacts, cluster: Cluster, tables: Tables) -> Plan:
    """The plan of a request: the best layout of its GPUs, proven, with repairs where it does not fit.

    Raises:
        RequestError: vLLM would refuse what the user fixed.
    """
    case = Case.of(request, facts, cluster, tables)
    plan = planned(case)
    if plan.feasibility.verdict != "does_not_fit":
        return plan
    return plan.model_copy(update={"repairs": repairs.repairs(case, plan, planned)})


def planned(case: Case) -> Plan:
    """The plan of a case, without repairs."""
    checks.check_request(case)
    options = scored(case, candidates(case))
    chosen = best(case, options)
    plan = _assembled(case, chosen)
    return plan.model_copy(update={"alternatives": alternatives(options, chosen)})


def candidates(case: Case) -> tuple[Candidate, ...]:
    """Every layout that vLLM accepts for this case, worked out.

    Raises:
        RequestError: there is none; the reason of the first refusal.
    """
    layouts = candidate_layouts(
        case.architecture,
        case.cluster,
        fixed_sizes(case.fixed),
        lambda layout: checks.check_layout(case, layout),
    )
    made, refusal = [], None
    for layout in layouts:
        try:
            made.append(evaluate(case, layout))
        except RequestError as error:
            refusal = refusal or error
    if refusal and not made:
        raise refusal
    return tuple(made)


def _assembled(case: Case, option: Scored) -> Plan:
    chosen, speed = option.candidate, option.estimate
    made = decisions(case, chosen, speed)
    config = VLLMConfig(model=case.facts.id, arguments={one.field: one.value for one in made})
    engine = case.tables.engine
    return Plan(
        planner=case.tables.planner,
        inputs=case.request,
        cluster=case.cluster,
        layout=chosen.layout,
        feasibility=parts.feasibility(case, chosen),
        model=parts.model_summary(case),
        draft=draft_summary(case, chosen),
        engine=config.checked(engine),
        command=config.args(engine),
        runtime=parts.runtime(case, chosen),
        memory=parts.memory(chosen),
        kv_cache=parts.kv_cache(chosen),
        estimate=speed,
        cost=cost(case, chosen, speed),
        decisions=made,
        advisories=advice.advisories(case, chosen),
        warnings=advice.warnings(case, chosen, speed),
    )
