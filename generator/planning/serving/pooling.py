"""What a model answers with: text, or vectors, classes and scores of whole prompts (`--runner pooling`)."""

from collections.abc import Mapping
from typing import Any, cast

from generator.models.architecture import Architecture
from generator.models.checkpoint import ModelFacts
from generator.models.model_class import ModelClass
from generator.models.serving import Pooling, ServingFamily, Task
from generator.planning.kinds.of import keeps_cache

_SUFFIXES: tuple[tuple[str, Task], ...] = (
    ("ForCausalLM", "generate"), ("ForConditionalGeneration", "generate"), ("ChatModel", "generate"),
    ("LMHeadModel", "generate"), ("ForTextEncoding", "embed"), ("EmbeddingModel", "embed"),
    ("ForSequenceClassification", "classify"), ("ForTokenClassification", "classify"),
    ("ForAudioClassification", "classify"), ("ForImageClassification", "classify"),
    ("ForVideoClassification", "classify"), ("ClassificationModel", "classify"), ("ForRewardModeling", "embed"),
    ("RewardModel", "embed"), ("Model", "embed"),
)  # fmt: skip
"""Endings of class names, the first that fits (vLLM 0.32 config/model.py:2322)."""

VERBS: dict[Task, str] = {"embed": "turns text into vectors", "classify": "classifies", "score": "ranks documents"}
"""What a server of the task does, in words."""
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


def pooling_of(
    facts: ModelFacts, model_class: ModelClass, family: ServingFamily | None, fixed: Mapping[str, Any]
) -> Pooling | None:
    """How the server pools, and why; None where it generates text.

    The order is vLLM's: the user's runner, the user's conversion, `modules.json`, the class (0.32
    config/model.py:1270); then the family, where its name alone tells it from a chat model.
    """
    runner, convert = fixed.get("runner", "auto"), fixed.get("convert", "auto")
    if runner == "generate":
        return None
    named = task_of(facts.architecture, model_class)
    found = _reason(facts, named, family, (runner, convert))
    if found is None:
        return None
    task, reason = found
    return Pooling(task=task, reason=reason, chunked=_chunked(facts, model_class, fixed.get("pooler_config")))


def _reason(
    facts: ModelFacts, named: Task, family: ServingFamily | None, asked: tuple[str, str]
) -> tuple[Task, str] | None:
    """The task of a pooling server and what decides it; None for text."""
    (runner, convert), architecture, sentence = asked, facts.architecture, facts.sentence
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
        return task, f"{architecture.architecture} {VERBS[named]}: {attends}"
    if family is not None and family.task != "generate":
        return task, f"{family.name} {VERBS[family.task]} ({family.origin})"
    return None


def _asked(convert: str) -> Task | None:
    return "classify" if convert == "classify" else "embed" if convert == "embed" else None


def _chunked(facts: ModelFacts, model_class: ModelClass, given: object) -> bool:
    """Whether vLLM may cut a prompt into pieces (0.32 config/model.py:2175); else a step holds the longest whole."""
    if is_encoder(facts.architecture):
        return False
    sentence = facts.sentence
    own = sentence.pooling_type if sentence is not None else ""
    asked = str(given.get("seq_pooling_type") or "") if isinstance(given, dict) else ""
    return (asked or own).upper() not in _WHOLE and not model_class.pools_steps
