"""The recorded answers of a deployment: the request that they make, the facts and the plan beside it.

Templates (`copier_ext`) and commands (`operations`) read and write them here, so that both record the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import to_jsonable_python

from generator import workflow
from generator.errors import RequestError
from generator.models.checkpoint import ModelFacts
from generator.models.plan import Plan, PlanRecord, digest_of
from generator.models.request import Request
from generator.models.serving import PoolingApi
from generator.models.speculation import asked_draft
from generator.models.value import Value, problem
from generator.planning.serving.pooling_api import pooling_api
from generator.presenting.record import plan_record
from generator.presenting.verdict import infeasible

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from generator.workflow import Proof

FACTS = "model_facts"
FACT_INPUTS = ("model", "revision", "source", "replan")
"""Answers that the facts of a model depend on."""
DIGEST = "facts"
"""The one plan input that is no field of `Request`: the digest of the facts that the plan was made from."""
_DRAFT = "draft"
_COMPACT = ("architecture", "checkpoint")
_SINCE = ("sentence", "built_by")
"""Fields of the facts that older packages lack, which are recorded only where they say something."""
_PROVEN: ContextVar[Proof | None] = ContextVar("proven", default=None)


def request_of(answers: Mapping[str, Any]) -> Request:
    """The request that the answers make; those that are no field of it are left out.

    Templates before 1.7.0 do not ask for servers, and start one.

    Raises:
        RequestError: an answer is missing or out of its range.
    """
    try:
        return Request.model_validate(
            {"servers": 1} | {name: answers[name] for name in Request.model_fields if name in answers}
        )
    except ValidationError as error:
        raise RequestError(": ".join(problem(error))) from error


def plan_inputs(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a plan of these answers records as its inputs; copier.yml's `plan_inputs` in Python."""
    inputs = {name: values[name] for name in Request.model_fields if name in values}
    facts = json.dumps(values.get(FACTS), sort_keys=True)
    return inputs | {DIGEST: hashlib.sha256(facts.encode()).hexdigest()}


def facts_answer(request: Request, facts: ModelFacts) -> dict[str, Any]:
    """The recorded answer `model_facts`: the facts, and what was asked for to get them; a draft's likewise, inside."""
    asked = {name: getattr(request, name) for name in FACT_INPUTS}
    answer = {"asked": asked} | _recorded(facts)
    if facts.draft is not None:
        answer[_DRAFT] = {"asked": asked_draft(request.overrides)} | _recorded(facts.draft)
    return answer


def facts_of(answer: Mapping[str, Any]) -> ModelFacts:
    """The facts in a recorded answer `model_facts`.

    Raises:
        RequestError: they are not what this package, or an older one, recorded.
    """
    plain = {name: value for name, value in answer.items() if name != "asked"}
    if isinstance(plain.get(_DRAFT), dict):
        plain[_DRAFT] = {name: value for name, value in plain[_DRAFT].items() if name != "asked"}
    try:
        return ModelFacts.model_validate(plain)
    except ValidationError as error:
        raise RequestError(
            f"the recorded model_facts cannot be read ({problem(error)[0]}): plan again (--replan)"
        ) from error


def other_draft(request: Request, answer: Mapping[str, Any]) -> bool:
    """Whether the recorded answer `model_facts` lacks the draft model that the request names, or has another's."""
    held = answer.get(_DRAFT) or {}
    return asked_draft(request.overrides) not in (held.get("asked"), *_own_layers(request, answer))


def facts_changed(
    request: Request,
    recorded: Mapping[str, Any],
    changed: Iterable[str],
    *,
    offline: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any] | None:
    """The answer `model_facts` of a request with `changed` answers, read anew; None where the recorded one serves.

    Raises:
        SourceError: no source delivers the model, or its draft.
        UnsupportedArchitectureError: no reader knows its class.
        RequestError: what is recorded cannot be read.
    """
    if not set(FACT_INPUTS).isdisjoint(changed):
        return facts_answer(request, workflow.facts_for(request, offline=offline, progress=progress))
    if other_draft(request, recorded):
        found = workflow.with_draft(request, facts_of(recorded), offline=offline, progress=progress)
        return facts_answer(request, found)
    return None


@contextmanager
def proven(proof: Proof) -> Iterator[None]:
    """While a template is rendered, `proof` stands for a plan of the same request and facts: nobody plans again."""
    token = _PROVEN.set(proof)
    try:
        yield
    finally:
        _PROVEN.reset(token)


def asked_servers() -> int:
    """Equal servers of the proof at hand; 1 where there is none."""
    held = _PROVEN.get()
    return 1 if held is None else len(held.plan.servers) or 1


def prove(request: Request, facts: ModelFacts, *, compared: bool = True) -> Proof:
    """The proof at hand where it is of this request and these facts, and a new one otherwise.

    Raises:
        RequestError: vLLM would refuse what is asked for.
        UnknownFactError: the GPU or the vLLM release is not in the tables.
    """
    held = _PROVEN.get()
    if held is not None and held.is_of(request) and held.facts == facts:
        return held
    return workflow.prove(request, facts, compared=compared)


def record(proof: Proof, inputs: Mapping[str, Any]) -> PlanRecord:
    """What templates print of a plan, with a digest over all of it."""
    draft = plan_record(proof.plan, proof.facts, dict(inputs), proof.tables.engine, pooling_of(proof))
    return draft.model_copy(update={"digest": digest_of(draft.model_dump(mode="json"))})


def pooling_of(proof: Proof) -> PoolingApi | None:
    """What the planned server answers; None where it generates text."""
    return pooling_api(proof.case) if proof.plan.runner == "pooling" else None


def refuse_unfit(plan: Plan) -> None:
    """Return only where the plan fits, at least at the expected value.

    Raises:
        InfeasiblePlanError: it does not; names the shortfall and the first repair.
    """
    if plan.feasibility.verdict == "does_not_fit":
        raise infeasible(plan, plan.repairs)


def _recorded(facts: ModelFacts) -> dict[str, Any]:
    """Facts as they are recorded: shapes without fields at their defaults, nothing of what is not there."""
    compact = {name: _compact(getattr(facts, name)) for name in _COMPACT}
    unset = {name for name in _SINCE if getattr(facts, name, None) is None}
    return facts.model_dump(mode="json", exclude={*_COMPACT, *unset, _DRAFT}) | compact


def _own_layers(request: Request, answer: Mapping[str, Any]) -> tuple[dict[str, str], ...]:
    """Drafts that lie in the target's own checkpoint, so that no facts of their own are recorded."""
    asked = asked_draft(request.overrides)
    return (asked,) if asked and asked["model"] in (request.model, answer.get("id")) else ()


def _compact(value: Any) -> Any:
    """`value` as JSON without fields at their defaults; the `kind` that tells a union apart stays."""
    if isinstance(value, Value):
        held = {name: (field, getattr(value, name)) for name, field in type(value).model_fields.items()}
        return {name: _compact(it) for name, (field, it) in held.items() if name == "kind" or _differs(field, it)}
    return [_compact(part) for part in value] if isinstance(value, tuple) else to_jsonable_python(value)


def _differs(field: FieldInfo, held: Any) -> bool:
    return field.is_required() or bool(held != field.get_default(call_default_factory=True))
