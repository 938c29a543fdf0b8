"""PlannerV1: the one door from a template to the planner; a plain Jinja extension of the installed package.

A released class is never renamed, removed or changed: today's package copies, plans again and updates every
released template. What it returns only ever gains keys, and an input that is missing takes its default.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

from jinja2.ext import Extension

from generator import __version__, recording, workflow
from generator.cluster import detected_gpu
from generator.errors import GeneratorError, RequestError
from generator.models.plan import Plan
from generator.models.request import Request
from generator.sources.installation import tool_requirement

if TYPE_CHECKING:
    from jinja2 import Environment


_P = ParamSpec("_P")
_R = TypeVar("_R")
_ABLE = {"runners": ("generate",), "platforms": ("cuda",)}
"""What a template can serve and on whose GPUs, beside its plan inputs and never recorded with them; what is absent
before 1.3.0, or 1.6.0."""
_POOLING_SINCE, _ROCM_SINCE, _SERVERS_SINCE = "1.3.0", "1.6.0", "1.7.0"
_MOVE = "`vllm-wizard update --upgrade` moves a deployment there, `generate` takes the newest without --template"


class PlannerV1(Extension):
    """Functions that copier.yml calls in `default:`; no template file calls them."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.globals.update(
            vllm_facts=_told(_facts),
            vllm_plan=_told(_plan),
            vllm_gpu=_told(detected_gpu),
            vllm_release=_told(workflow.newest_release),
            vllm_tool=tool_requirement,
        )


def __getattr__(name: str) -> NoReturn:
    """An older package meets a newer template: one line instead of an AttributeError."""
    if name.startswith("Planner"):
        _tell(_too_new(name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def refuse_unserved(plan: Plan, runners: Sequence[str], platforms: Sequence[str]) -> None:
    """Return only where the template serves what the model answers with, on GPUs of the plan's maker.

    Raises:
        RequestError: it does not.
    """
    if plan.runner not in runners:
        raise RequestError(
            f"{plan.model.id} generates no text, which templates serve from {_POOLING_SINCE} on: {_MOVE}"
        )
    if plan.cluster.gpu.capability.is_rocm and "rocm" not in platforms:
        raise RequestError(f"templates render for AMD's {plan.cluster.gpu.name} from {_ROCM_SINCE} on: {_MOVE}")


def _facts(asked: Mapping[str, Any]) -> dict[str, Any]:
    request = _request(asked)
    return recording.facts_answer(request, workflow.facts_for(request))


def _plan(inputs: Mapping[str, Any], model_facts: Mapping[str, Any]) -> dict[str, Any]:
    able = {name: inputs.get(name, before) for name, before in _ABLE.items()}
    recorded = {name: value for name, value in inputs.items() if name not in _ABLE}
    request = _request({name: value for name, value in recorded.items() if name != recording.DIGEST})
    if "servers" not in recorded and recording.asked_servers() > 1:
        raise RequestError(f"templates render several equal servers from {_SERVERS_SINCE} on: {_MOVE}")
    facts = recording.facts_of(model_facts)
    if recording.other_draft(request, model_facts):
        facts = workflow.with_draft(request, facts)
    proof = recording.prove(request, facts)
    refuse_unserved(proof.plan, **able)
    recording.refuse_unfit(proof.plan)
    return recording.record(proof, recorded).model_dump(mode="json")


def _request(answers: Mapping[str, Any]) -> Request:
    unknown = sorted(answers.keys() - Request.model_fields.keys())
    if unknown:
        raise RequestError(_too_new(unknown[0]))
    return recording.request_of(answers)


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
