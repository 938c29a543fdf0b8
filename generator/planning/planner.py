"""make_plan(): from a case to the whole proof; pure, deterministic, no look-ups."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from generator.errors import RequestError
from generator.models.checkpoint import ModelFacts
from generator.models.hardware import Cluster
from generator.models.host import ROCM, Launcher
from generator.models.parallelism import Layout
from generator.models.plan import Plan, RunnerUp
from generator.models.request import Request
from generator.models.vllm import VLLMConfig
from generator.planning import advice, parts
from generator.planning.case import Case
from generator.planning.choosing import repairs
from generator.planning.choosing.alternatives import alternatives, runner_up
from generator.planning.choosing.beside import beside_servers, engine_second
from generator.planning.choosing.choice import best
from generator.planning.choosing.divided import divided
from generator.planning.choosing.drafting import preferred_drafts
from generator.planning.choosing.growth import timed
from generator.planning.choosing.packing import held_surely, packed
from generator.planning.choosing.scored import Scored, scored
from generator.planning.choosing.servers import preferred
from generator.planning.costs import cost, energy, scaling
from generator.planning.decisions import decisions
from generator.planning.drafts.report import draft_summary
from generator.planning.evaluation import evaluate, evaluated
from generator.planning.layouts import layouts_of
from generator.planning.rules import checks
from generator.planning.speed.estimates import missing
from generator.planning.speed.passes import pass_estimate

if TYPE_CHECKING:
    from generator.planning.candidate import Candidate
    from generator.planning.choosing.servers import Servers
    from generator.planning.tables import Tables


def make_plan(request: Request, facts: ModelFacts, cluster: Cluster, tables: Tables, *, compared: bool = True) -> Plan:
    """The plan of a request: the best layout of its GPUs, proven, with repairs where it does not do.

    Unless `compared`, what else could be had is left out.

    Raises:
        RequestError: vLLM would refuse what the user fixed.
    """
    return planned(Case.of(request, facts, cluster, tables), mended=True, compared=compared)


class Weighed(NamedTuple):
    """A case with every layout that vLLM accepts for it, and the best of them."""

    case: Case
    """With the requests in flight that a stated rate comes to."""
    options: tuple[Scored, ...]
    chosen: Scored
    over: Over | None = None
    """Where these are servers that nobody asked for: what they were chosen over."""


class Over(NamedTuple):
    """One engine over the GPUs of all servers, which they surely serve better than."""

    engine: tuple[Case, tuple[Scored, ...], Scored]
    """The case of all GPUs, its options, and the best of them."""
    several: Servers


def planned(case: Case, *, mended: bool = False, compared: bool = True) -> Plan:
    """The plan of a case; `mended` works out the changes that would mend it, `compared` what else could be had."""
    case, options, chosen, over = weighed(case)
    if over is not None:
        second = engine_second(*over.engine, over.several)
        others = beside_servers(*over.engine[:2], (case, chosen), over.several) if compared else ()
    elif case.pooling:
        second, others = None, ()
    else:
        second = runner_up(case, options, chosen)
        others = alternatives(case, options, chosen) if compared else ()
    return _assembled(case, chosen, second).model_copy(
        update={
            "alternatives": others,
            "repairs": repairs.repairs(case, chosen, choose, options) if mended else (),
        }
    )


def weighed(case: Case) -> Weighed:
    """Every layout of a case, and the best; `plan` and `fit` ask here alone, so that they give one answer.

    Raises:
        RequestError: vLLM refuses the request, or each layout.
    """
    found = _weighed(case)
    drafting = None if found.over else preferred_drafts(found.case, found.chosen)
    if drafting is None:
        return found
    options = options_of(drafting)
    return Weighed(drafting, options, best(drafting, options))


def _weighed(case: Case) -> Weighed:
    """Every layout, nothing drafted that is not asked for, and the best; or the servers that serve better than it."""
    case, options, chosen = _packed(case)
    several = preferred(case, options, chosen)
    shared = _on_servers(case, several) if several else None
    if several is None or shared is None:
        return Weighed(case, options, chosen)
    return shared._replace(over=Over((case, options, chosen), several))


def _packed(case: Case) -> tuple[Case, tuple[Scored, ...], Scored]:
    """The case with the requests in flight of a stated rate, its options, and the best, which surely holds them.

    The best at a load may be another layout than the one that its requests were worked out for.
    """
    case = packed(case, candidates_of(case))
    options = options_of(case)
    options = (*options, *divided(case, options))
    chosen = best(case, options)
    if not case.in_flight or chosen.candidate.doubt:
        return case, options, chosen
    held = held_surely(case, chosen.candidate, case.in_flight)
    if held.in_flight == case.in_flight:
        return case, options, chosen
    options = options_of(held)
    return held, options, best(held, options)


def _on_servers(case: Case, several: Servers) -> Weighed | None:
    """The servers, each planned on its share; None where a share does not surely do."""
    share, layout = case.on_servers(several.number), several.option.candidate.layout
    options = options_of(share)
    same = [one for one in options if one.candidate.layout == layout]
    sure = [one for one in same if one.candidate.verdict == "fits" and one.candidate.carries_load]
    return Weighed(share, options, sure[0]) if sure else None


def choose(case: Case, layout: Layout | None = None) -> Scored:
    """The best option of a case; what becomes of `layout` where one is given.

    Raises:
        RequestError: vLLM would refuse it.
    """
    if layout is None:
        return weighed(case).chosen
    checks.check_request(case)
    checks.check_layout(case, layout)
    option = scored(case, (evaluate(case, layout),))[0]
    drafting = preferred_drafts(case, option)
    return scored(drafting, (evaluate(drafting, layout),))[0] if drafting else option


def options_of(case: Case) -> tuple[Scored, ...]:
    """Every layout that vLLM accepts for this case, with its estimate.

    Raises:
        RequestError: it refuses the request, or each of them.
    """
    return tuple(Scored(one, timed(case, one, case.load.concurrency)) for one in candidates_of(case))


def candidates_of(case: Case) -> tuple[Candidate, ...]:
    """Every layout that vLLM accepts for this case, worked out; once for all numbers of GPUs that it is looked at on.

    Raises:
        RequestError: it refuses the request, or each of them.
    """
    checks.check_request(case)
    made, refusal = [], None
    for layout in layouts_of(case):
        try:
            made.append(evaluated(case, layout))
        except RequestError as error:
            refusal = refusal or error
    if refusal and not made:
        raise refusal
    return tuple(made)


def _assembled(case: Case, option: Scored, second: RunnerUp | None) -> Plan:
    chosen = option.candidate
    speed = None if case.pooling else option.estimate
    made = decisions(case, chosen, speed, second)
    config = VLLMConfig(model=case.facts.id, arguments={one.field: one.value for one in made})
    engine = case.tables.engine
    return Plan(
        planner=case.tables.planner,
        inputs=case.request.model_copy(update={"servers": case.servers}),
        cluster=parts.node(case),
        servers=parts.servers(case, chosen),
        layout=chosen.layout,
        feasibility=parts.feasibility(case, chosen, speed),
        model=parts.model_summary(case),
        draft=draft_summary(case, chosen),
        engine=config.checked(engine),
        command=config.args(engine),
        runtime=parts.runtime(case, chosen, option.estimate),
        launcher=ROCM if case.gpu.capability.is_rocm else Launcher(),
        memory=parts.memory(chosen),
        kv_cache=parts.kv_cache(chosen),
        kernels=parts.kernels(case, chosen),
        estimate=speed,
        estimate_missing="" if speed or case.pooling else missing(case, chosen),
        runner="pooling" if case.pooling else "generate",
        pooling=pass_estimate(option.estimate) if case.pooling else None,
        cost=cost(case, chosen, speed),
        scaling=scaling(case, chosen, speed),
        energy=energy(case, chosen, speed),
        decisions=made,
        advisories=advice.advisories(case, chosen),
        warnings=advice.warnings(case, chosen, option.estimate),
        runner_up=second,
    )
