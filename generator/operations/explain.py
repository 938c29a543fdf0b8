"""`explain`: what an argument of vLLM does, and what a plan made of it."""

from pathlib import Path
from typing import Any

from generator import recording
from generator.catalogue import arguments
from generator.catalogue.engines import engine as find_engine
from generator.catalogue.engines import known_versions
from generator.errors import GeneratorError, RequestError
from generator.models.engine import Engine, Flag
from generator.models.explained import ChosenBy, ChosenValue, FlagExplained
from generator.models.plan import Decision, ExplainedDecision, Plan
from generator.models.request import Request
from generator.presenting.text import plural, some
from generator.rendering import answers as answers_file
from generator.sources.running.arguments import SHORT

_SHORT = {short.lower(): name for short, name in SHORT.items()} | {"asc": "api_server_count"}
"""Short spellings of vLLM's command line and of ours."""
_LONGEST = 100
_TELLING = 3
"""Letters from which a part of a name says what is meant."""


def explain(word: str, *, vllm: str = "", plan: Plan | None = None) -> FlagExplained:
    """The argument that `word` names in release `vllm`, empty for the plan's or the newest, and what `plan` made of it.

    Raises:
        RequestError: the release has no such argument; names its successor, or the nearest.
        UnknownFactError: no table has the release.
    """
    flag, engine = _found(word, vllm or (plan.inputs.vllm if plan else ""))
    return _explained(flag, engine, _chosen(flag, plan) if plan else None)


def explain_in(directory: Path, word: str, *, vllm: str = "") -> FlagExplained:
    """The same of the plan that a deployment records; nothing is asked of the Hub.

    Raises:
        RequestError: the release has no such argument, or `directory` holds no deployment.
        RenderError: its answers cannot be read.
        UnknownFactError: no table has the release.
    """
    answers = answers_file.read(directory, updated=False)
    flag, engine = _found(word, vllm or str(answers.values.get("vllm") or ""))
    recorded = answers.plan
    made = _value(flag, recorded.decisions, answers.values.get("overrides") or {}, _changes(answers.values))
    model = str(answers.values.get("model"))
    return _explained(flag, engine, made.model_copy(update={"model": model, "gpus": recorded.display.gpus}))


def _found(word: str, vllm: str) -> tuple[Flag, Engine]:
    """The argument that a person's word names, and its release."""
    engine = find_engine(vllm)
    name = word.strip().lstrip("-").replace("-", "_").lower()[:_LONGEST]
    name = _SHORT.get(name, name)
    positive = name.removeprefix("no_")
    if name not in engine.by_name and positive in engine.by_name and engine.by_name[positive].type == "bool":
        name = positive
    if name in engine.by_name:
        return engine.by_name[name], engine
    row = arguments.moved(name, engine.version)
    if row is not None and row.to is not None:
        raise RequestError(f"vLLM {row.release} replaced {name}: explain {row.to} instead ({row.reason})")
    if name in Request.model_fields:
        raise RequestError(f"{name} is an option of vllm-wizard, no argument of vLLM: see `vllm-wizard plan --help`")
    holding = sorted(one for one in engine.by_name if len(name) >= _TELLING and name in one)
    if holding and name not in engine.elsewhere:
        raise RequestError(f"vLLM {engine.version} has no argument {name!r}; those with it: {some(tuple(holding))}")
    return engine.flag(name), engine


def _explained(flag: Flag, engine: Engine, chosen: ChosenValue | None) -> FlagExplained:
    return FlagExplained(
        argument=flag.name,
        option=flag.option,
        vllm=engine.version,
        does=arguments.sentences().get(flag.name, ""),
        takes=flag.takes,
        choices=engine.choices(flag.name),
        default=flag.default,
        since=arguments.since(flag.name),
        oldest=known_versions()[0],
        other_defaults=arguments.other_defaults(flag.name, engine.version),
        chosen=chosen,
    )


def _chosen(flag: Flag, plan: Plan) -> ChosenValue:
    changes = {one.field: one.change for one in plan.decisions}
    made = _value(flag, plan.decisions, plan.inputs.overrides, changes)
    gpus = f"{plural(plan.cluster.total_gpus, 'GPU')} {plan.cluster.gpu.name}"
    return made.model_copy(update={"model": plan.model.id, "gpus": gpus})


def _value(
    flag: Flag,
    decisions: tuple[Decision, ...] | tuple[ExplainedDecision, ...],
    overrides: dict[str, Any],
    changes: dict[str, str],
) -> ChosenValue:
    """What the decisions of a plan say of the argument; model and GPUs are still to be put in."""
    decided = next((one for one in decisions if one.field == flag.name), None)
    setting = f"--set {flag.name}=VALUE"
    if flag.name in overrides:
        by: ChosenBy = "you"
        reason = decided.reason if decided else "you left it to vLLM"
        change = f"--unset {flag.name}: the planner chooses it again; or {setting}"
    elif decided is not None:
        by, reason = "planner", decided.reason
        change = changes.get(flag.name) or setting
    else:
        by, reason, change = "vllm", "nothing in the request asks for it: vLLM's own default holds", setting
    return ChosenValue(model="", gpus="", value=decided.value if decided else None, by=by, reason=reason, change=change)


def _changes(values: dict[str, Any]) -> dict[str, str]:
    """What would change each value, by planning the recorded answers again; none where they cannot be planned."""
    try:
        facts = recording.facts_of(values.get(recording.FACTS) or {})
        proof = recording.prove(recording.request_of(values), facts)
    except GeneratorError:
        return {}
    return {one.field: one.change for one in proof.plan.decisions}
