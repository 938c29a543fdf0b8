"""The tools that an assistant is given: what each says, takes and gives, and how it is answered."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json, to_jsonable_python

from generator.cli.assistant.asked import CheckAsked, ExplainAsked, ModelsAsked, PlanAsked
from generator.cli.fit import rows_of
from generator.cli.knowing import with_detected_gpus
from generator.cli.options import answers_of, request_from
from generator.cli.proposal import proposal
from generator.errors import GeneratorError, RequestError
from generator.models.explained import FlagExplained
from generator.models.fit import FitRow, ModelRow
from generator.models.plan import Plan
from generator.models.request import Request
from generator.models.value import Value, problem
from generator.operations.check import CheckReport, check
from generator.operations.explain import explain, explain_in
from generator.workflow import models_for

_SHOWN = 80


class Answered(NamedTuple):
    """What a tool answers: the text that its command prints with `--json`, and the same as an object."""

    text: str
    content: dict[str, Any] | None = None
    failed: bool = False


class Tool(NamedTuple):
    """One tool: its sentence, the model of its arguments, the schema of its answer, and what it runs."""

    says: str
    takes: type[Value]
    gives: dict[str, Any]
    run: Callable[[Any], Answered]


def call(name: str, arguments: Mapping[str, Any] | None) -> Answered:
    """The answer of a tool; what cannot be answered is one line that says what to do next, as the command prints it."""
    try:
        return _called(name, arguments or {})
    except (GeneratorError, OSError, UnicodeError) as error:  # the last two are of the machine, not of the program
        return Answered(" ".join(str(error).split()), failed=True)


def _called(name: str, arguments: Mapping[str, Any]) -> Answered:
    if name not in TOOLS:
        raise RequestError(f"there is no tool {name[:_SHOWN]!r}: choose one of {', '.join(TOOLS)}")
    tool = TOOLS[name]
    known = tool.takes.model_fields
    unknown = min(arguments.keys() - known.keys(), default=None)
    if unknown is not None:
        near = get_close_matches(unknown, known, n=1) or sorted(known)
        raise RequestError(f"{name} takes no {unknown[:_SHOWN]!r}; nearest: {', '.join(near)}")
    try:
        asked = tool.takes.model_validate(dict(arguments))
    except ValidationError as error:
        raise RequestError(f"{name}: {': '.join(problem(error))}") from error
    return tool.run(asked)


def _answers(asked: Value) -> dict[str, Any]:
    """The stated answers of a request, names of models and GPUs taken apart.

    Raises:
        RequestError: one is out of its range; nothing has been looked up then.
    """
    stated = {name: getattr(asked, name) for name in Request.model_fields if name in asked.model_fields_set}
    request_from({"model": "any", **stated})
    return answers_of(stated)


def _plan(asked: Any) -> Answered:
    return _answered(proposal(_answers(asked), cheapest=asked.cheapest, apply=0, offline=asked.offline).plan)


def _fit(asked: Any) -> Answered:
    rows = rows_of(_answers(asked), by_cost=asked.cheapest, offline=asked.offline)
    return Answered(to_json(rows, indent=2).decode(), {"rows": to_jsonable_python(rows)})


def _models(asked: Any) -> Answered:
    answers = with_detected_gpus({**_answers(asked), "model": "any"})
    rows = models_for(request_from(answers), task=asked.task, by=asked.by).rows
    return Answered(to_json(rows, indent=2).decode(), {"rows": to_jsonable_python(rows)})


def _explain(asked: Any) -> Answered:
    planned = asked.model_fields_set - {"flag", "directory", "offline", "vllm"}
    if asked.directory and planned:
        raise RequestError(f"{asked.directory} has its own model and plan: name it, or a model, not both")
    if asked.directory:
        return _answered(explain_in(Path(asked.directory), asked.flag, vllm=asked.vllm))
    found = explain(asked.flag, vllm=asked.vllm)
    if not planned:
        return _answered(found)
    proof = proposal(_answers(asked), cheapest=False, apply=0, offline=asked.offline)
    return _answered(explain(asked.flag, plan=proof.plan))


def _check(asked: CheckAsked) -> Answered:
    report = check(Path(asked.directory), offline=asked.offline, quick=asked.quick)
    content = report.model_dump(mode="json") | {"clean": report.clean}
    return Answered(to_json(content, indent=2).decode(), content)


def _answered(made: Value) -> Answered:
    return Answered(made.model_dump_json(indent=2, by_alias=True), made.model_dump(mode="json", by_alias=True))


def _gives(printed: Any, **more: Any) -> dict[str, Any]:
    """The JSON Schema of what a command prints, with properties that it adds."""
    made = TypeAdapter(printed).json_schema(mode="serialization")
    return made | {"properties": made["properties"] | more}


def _rows(row: Any) -> dict[str, Any]:
    """The schema of an answer that is rows: an answer has to be an object."""
    made = TypeAdapter(tuple[row, ...]).json_schema(mode="serialization")
    definitions = made.pop("$defs", {})
    return {"type": "object", "properties": {"rows": made}, "required": ["rows"], "$defs": definitions}


TOOLS = {
    "plan": Tool(
        "Prove a vLLM configuration on paper for a model, GPUs and a workload: whether it starts, carries the workload "
        "and meets targets; memory of one GPU in bytes, limits, speed with ranges, every engine argument with its "
        "reason, warnings, repairs, and the command. The model Hub is asked unless offline.",
        PlanAsked,
        _gives(Plan),
        _plan,
    ),
    "fit": Tool(
        "Say on which GPUs, and how many of them, a model fits: context and requests at once, or the bytes it is short "
        "of on each; name several GPUs with commas, or none for all that are known.",
        PlanAsked,
        _rows(FitRow),
        _fit,
    ),
    "models": Tool(
        "Say which of the models that are known here fit given GPUs and a workload, quantized ones among them, the "
        "biggest or the fastest first.",
        ModelsAsked,
        _rows(ModelRow),
        _models,
    ),
    "explain": Tool(
        "Explain one argument of vLLM: what it does, default, choices and history in a release, what a plan or a "
        "deployment chose for it, why, and what changes it.",
        ExplainAsked,
        _gives(FlagExplained),
        _explain,
    ),
    "check": Tool(
        "Say what a deployment repository is pinned to, what is newer, and what drifted; nothing is written there.",
        CheckAsked,
        _gives(CheckReport, clean={"type": "boolean", "description": "Nothing is an error or a warning."}),
        _check,
    ),
}
"""Every tool by its name, in the order in which they are listed."""
