"""What a model answers with: text, or vectors, classes and scores of whole prompts (`--runner pooling`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from generator.errors import RequestError, UnsupportedArchitectureError
from generator.models.serving import Pooling
from generator.planning.kinds.of import keeps_cache

if TYPE_CHECKING:
    from collections.abc import Iterator

    from generator.models.architecture import Architecture
    from generator.models.model_class import ModelClass
    from generator.models.serving import Task
    from generator.planning.case import Case

_SUFFIXES: tuple[tuple[str, Task], ...] = (
    ("ForCausalLM", "generate"), ("ForConditionalGeneration", "generate"), ("ChatModel", "generate"),
    ("LMHeadModel", "generate"), ("ForTextEncoding", "embed"), ("EmbeddingModel", "embed"),
    ("ForSequenceClassification", "classify"), ("ForTokenClassification", "classify"),
    ("ForAudioClassification", "classify"), ("ForImageClassification", "classify"),
    ("ForVideoClassification", "classify"), ("ClassificationModel", "classify"), ("ForRewardModeling", "embed"),
    ("RewardModel", "embed"), ("Model", "embed"),
)  # fmt: skip
"""Endings of class names, the first that fits (vLLM 0.32 config/model.py:2322)."""

_VERBS: dict[Task, str] = {"embed": "turns text into vectors", "classify": "classifies", "score": "ranks documents"}
_POOLING = frozenset({"embed", "classify"})
_WHOLE = frozenset({"CLS", "MEAN"})
"""Poolings that need a prompt's states at once (vLLM 0.32 config/model.py:2187)."""


def task_of_class(model_class: ModelClass) -> Task:
    """What vLLM runs a model class for: its registry's word, else the ending of the name."""
    if model_class.task not in {None, "draft"}:
        return cast("Task", model_class.task)
    return next((task for ending, task in _SUFFIXES if model_class.name.endswith(ending)), "generate")


def task_of(architecture: Architecture, model_class: ModelClass) -> Task:
    """What a model's class and shapes say that it answers with; one without a cache of its own generates nothing."""
    named = task_of_class(model_class)
    return "embed" if is_encoder(architecture) and named == "generate" else named


def is_encoder(architecture: Architecture) -> bool:
    """Whether every layer attends both ways, so that vLLM keeps no cache."""
    mixers = [layer.mixer for layer in architecture.layer_kinds]
    return bool(mixers) and all(mixers) and not keeps_cache(architecture)


def pooling_of(case: Case) -> Pooling | None:
    """How the server pools, and why; None where it generates text.

    The order is vLLM's: the user's runner, the user's conversion, `modules.json`, the class (0.32
    config/model.py:1270); then the family, where its name alone tells it from a chat model.
    """
    runner, convert = case.fixed.get("runner", "auto"), case.fixed.get("convert", "auto")
    if runner == "generate":
        return None
    found = _reason(case, runner, convert)
    if found is None:
        return None
    task, reason = found
    return Pooling(task=task, reason=reason, chunked=_chunked(case))


def check_task(case: Case) -> None:
    """Return only where the server can answer as it is asked to, and this planner counts what it takes.

    Raises:
        UnsupportedArchitectureError: the model generates no text, or has modules that no reader counts.
        RequestError: a pooling model is asked for what only text has.
    """
    name, architecture = case.facts.id, case.facts.architecture
    task = task_of(architecture, case.model_class)
    if case.pooling is None:
        if task != "generate":
            raise UnsupportedArchitectureError(
                f"{name} ({architecture.architecture}) {_VERBS[task]} and generates no text: drop --set runner=generate"
            )
        return
    if case.model_class.own_modules or (architecture.generic and task != "generate"):
        raise UnsupportedArchitectureError(
            f"{name} ({architecture.architecture}) {_VERBS[case.pooling.task]} with modules that no reader counts: "
            f"start it without a plan: vllm serve {name} --runner pooling"
        )
    if case.request.tpot_ms:
        raise RequestError(f"{name} {_VERBS[case.pooling.task]} and emits no tokens: drop --tpot-ms")
    if case.fixed.get("speculative_config"):
        raise RequestError(f"{name} {_VERBS[case.pooling.task]}, nothing is drafted: drop speculative_config")


def pooling_advisories(case: Case) -> Iterator[str]:
    """What whoever plans a pooling model should know, a sentence each."""
    pooling = case.pooling
    if pooling is None:
        return
    yield (
        f"{case.facts.id} {_VERBS[pooling.task]}: each request is one pass over its prompt, and no token is generated. "
        "No pooling model is in the calibration sets, neither for memory nor for speed."
    )
    preset = case.request.load.prompt_tokens
    if case.load.prompt_tokens < preset:
        tokens = f"{case.load.prompt_tokens:,}"
        yield f"Prompts are taken to be {tokens} tokens long, the model's own context: state --prompt-tokens."


def _reason(case: Case, runner: str, convert: str) -> tuple[Task, str] | None:
    """The task of a pooling server and what decides it; None for text."""
    architecture, family, sentence = case.facts.architecture, case.tables.serving.family, case.facts.sentence
    named = task_of(architecture, case.model_class)
    task = _asked(convert) or (named if named != "generate" else family.task if family else "embed")
    task = "embed" if task == "generate" else task
    if runner == "pooling":
        return task, "you set it"
    if convert in _POOLING:
        return task, f"you convert the model: {convert}"
    if sentence is not None and sentence.pools:
        return task, "modules.json of the repository names a pooling module"
    if named != "generate":
        attends = "every token attends to every other" if is_encoder(architecture) else "the class has no text head"
        return task, f"{architecture.architecture} {_VERBS[named]}: {attends}"
    if family is not None and family.task != "generate":
        return task, f"{family.name} {_VERBS[family.task]} ({family.origin})"
    return None


def _asked(convert: str) -> Task | None:
    return "classify" if convert == "classify" else "embed" if convert == "embed" else None


def _chunked(case: Case) -> bool:
    """Whether vLLM may cut a prompt into pieces (0.32 config/model.py:2175); else a step holds the longest whole."""
    if is_encoder(case.facts.architecture):
        return False
    sentence = case.facts.sentence
    own = sentence.pooling_type if sentence is not None else ""
    given = case.fixed.get("pooler_config")
    asked = str(given.get("seq_pooling_type") or "") if isinstance(given, dict) else ""
    return (asked or own).upper() not in _WHOLE and not case.model_class.pools_steps
