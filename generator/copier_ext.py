"""PlannerV1: the one door from a template to the planner; a plain Jinja extension of the installed package.

A released class is never renamed, removed or changed: today's package copies, plans again and updates every
released template. What it returns only ever gains keys, and an input that is missing takes its default.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

from jinja2.ext import Extension
from pydantic import ValidationError
from pydantic_core import to_jsonable_python

from generator import __version__, workflow
from generator.catalogue.engines import engine
from generator.errors import GeneratorError, InfeasiblePlanError, RequestError
from generator.models.checkpoint import ModelFacts
from generator.models.request import Request
from generator.models.speculation import asked_draft
from generator.models.value import Value, problem
from generator.presenting.shortfall import shortfall_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jinja2 import Environment
    from pydantic.fields import FieldInfo

    from generator.models.plan import Plan

_P = ParamSpec("_P")
_R = TypeVar("_R")
FACT_INPUTS = ("model", "revision", "source", "replan")
"""Answers that the facts of a model depend on."""
_DRAFT = "draft"
_COMPACT = ("architecture", "checkpoint")
_SINCE = ("sentence",)
"""Fields of the facts that older packages lack, which are recorded only where they say something."""
_DIGEST = "facts"
"""The one plan input that is no field of `Request`: the digest of the facts that the plan was made from."""
_RUNNERS = "runners"
"""What a template can serve, beside its plan inputs and never recorded with them; absent before 1.3.0: text."""
_POOLING_SINCE = "1.3.0"


class PlannerV1(Extension):
    """Functions that copier.yml calls in `default:`; no template file calls them."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.globals.update(
            vllm_facts=_told(_facts),
            vllm_plan=_told(_plan),
            vllm_gpu=_told(workflow.detected_gpu),
            vllm_release=_told(newest_release),
        )


def __getattr__(name: str) -> NoReturn:
    """An older package meets a newer template: one line instead of an AttributeError."""
    if name.startswith("Planner"):
        _tell(_too_new(name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def newest_release() -> str:
    """The vLLM release that a new deployment is pinned to."""
    return engine("").version


def facts_answer(request: Request, facts: ModelFacts) -> dict[str, Any]:
    """The recorded answer `model_facts`: the facts, and what was asked for to get them; a draft's likewise, inside."""
    asked = {name: getattr(request, name) for name in FACT_INPUTS}
    answer = {"asked": asked} | _recorded(facts)
    if facts.draft is not None:
        answer[_DRAFT] = {"asked": asked_draft(request.overrides)} | _recorded(facts.draft)
    return answer


def other_draft(request: Request, answer: Mapping[str, Any]) -> bool:
    """Whether the recorded answer `model_facts` lacks the draft model that the request names, or has another's."""
    held = answer.get(_DRAFT) or {}
    return asked_draft(request.overrides) not in (held.get("asked"), *_own_layers(request, answer))


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


def refuse_unfit(plan: Plan) -> None:
    """Return only where the plan fits, at least at the expected value.

    Raises:
        InfeasiblePlanError: it does not; names the shortfall and the first repair.
    """
    if plan.feasibility.verdict != "does_not_fit":
        return
    raise InfeasiblePlanError(shortfall_line(plan), shortfall_bytes=plan.feasibility.shortfall_bytes)


def refuse_unserved(plan: Plan, runners: Sequence[str]) -> None:
    """Return only where the template serves what the model answers with; before 1.3.0 they served text alone.

    Raises:
        RequestError: it does not.
    """
    if plan.runner not in runners:
        raise RequestError(
            f"{plan.model.id} generates no text, which templates serve from {_POOLING_SINCE} on: "
            "`vllm-wizard update --upgrade` moves a deployment there, `generate` takes the newest without --template"
        )


def _facts(asked: Mapping[str, Any]) -> dict[str, Any]:
    request = _request(asked)
    return facts_answer(request, workflow.facts_for(request))


def _plan(inputs: Mapping[str, Any], model_facts: Mapping[str, Any]) -> dict[str, Any]:
    runners = inputs.get(_RUNNERS, ("generate",))
    recorded = {name: value for name, value in inputs.items() if name != _RUNNERS}
    request = _request({name: value for name, value in recorded.items() if name != _DIGEST})
    facts = facts_of(model_facts)
    if other_draft(request, model_facts):
        facts = workflow.with_draft(request, facts)
    plan = workflow.plan_for(request, facts)
    refuse_unserved(plan, runners)
    refuse_unfit(plan)
    return workflow.record(plan, facts, recorded).model_dump(mode="json")


def _recorded(facts: ModelFacts) -> dict[str, Any]:
    """Facts as they are recorded: shapes without fields at their defaults, nothing of what is not there."""
    compact = {name: _compact(getattr(facts, name)) for name in _COMPACT}
    unset = {name for name in _SINCE if getattr(facts, name, None) is None}
    return facts.model_dump(mode="json", exclude={*_COMPACT, *unset, _DRAFT}) | compact


def _own_layers(request: Request, answer: Mapping[str, Any]) -> tuple[dict[str, str], ...]:
    """Drafts that lie in the target's own checkpoint, so that no facts of their own are recorded."""
    asked = asked_draft(request.overrides)
    return (asked,) if asked and asked["model"] in (request.model, answer.get("id")) else ()


def _request(answers: Mapping[str, Any]) -> Request:
    unknown = sorted(answers.keys() - Request.model_fields.keys())
    if unknown:
        raise RequestError(_too_new(unknown[0]))
    try:
        return Request.model_validate(dict(answers))
    except ValidationError as error:
        raise RequestError(": ".join(problem(error))) from error


def _compact(value: Any) -> Any:
    """`value` as JSON without fields at their defaults; the `kind` that tells a union apart stays."""
    if isinstance(value, Value):
        held = {name: (field, getattr(value, name)) for name, field in type(value).model_fields.items()}
        return {name: _compact(it) for name, (field, it) in held.items() if name == "kind" or _differs(field, it)}
    return [_compact(part) for part in value] if isinstance(value, tuple) else to_jsonable_python(value)


def _differs(field: FieldInfo, held: Any) -> bool:
    return field.is_required() or bool(held != field.get_default(call_default_factory=True))


def _too_new(name: str) -> str:
    return f"this template needs a newer vllm-wizard than {__version__} ({name} is unknown here): upgrade it"


def _told(call: Callable[_P, _R]) -> Callable[_P, _R]:
    """`call`, its errors as the one line that Copier shows; the error itself stays the cause."""

    @wraps(call)
    def told(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return call(*args, **kwargs)
        except GeneratorError as error:
            _tell(str(error), error)

    return told


def _tell(message: str, cause: BaseException | None = None) -> NoReturn:
    from copier.errors import UserMessageError  # noqa: PLC0415 - only a process that runs Copier comes here

    raise UserMessageError(message) from cause
