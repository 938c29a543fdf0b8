"""What a model answers with: text, vectors, classes or scores; a plan is for text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import RequestError, UnsupportedArchitectureError
from generator.models.attention import EncoderOnly

if TYPE_CHECKING:
    from generator.models.architecture import Architecture
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

_NAMED: dict[str, Task] = {
    "BertForMaskedLM": "embed", "RobertaForMaskedLM": "embed", "HF_ColBERT": "embed", "ColQwen3": "embed",
    "ColQwen3_5": "embed", "ColPaliForRetrieval": "embed", "ColModernVBertForRetrieval": "embed",
    "ColUltraVBertForRetrieval": "embed", "Terratorch": "embed", "JinaForRanking": "score", "JinaVLForRanking": "score",
    "ClefFlashForJointSchema": "classify", "ClefOmniForJointSchema": "classify",
    "ChatGLMModel": "generate", "MiDashengLMModel": "generate", "MossAudioModel": "generate",
    "Qwen2_5OmniModel": "generate", "UltravoxModel": "generate",
}  # fmt: skip
"""Classes whose ending says otherwise or nothing (vLLM 0.33 model_executor/models/registry.py)."""

_VERBS: dict[Task, str] = {"embed": "turns text into vectors", "classify": "classifies", "score": "ranks documents"}


def task_of_class(name: str) -> Task:
    """What vLLM runs a model class of this name for."""
    if name in _NAMED:
        return _NAMED[name]
    return next((task for ending, task in _SUFFIXES if name.endswith(ending)), "generate")


def task_of(architecture: Architecture) -> Task:
    """What a model's shapes say that it answers with; one without a cache of its own generates nothing."""
    mixers = [layer.mixer for layer in architecture.layer_kinds]
    encoder = bool(mixers) and all(isinstance(mixer, EncoderOnly) for mixer in mixers)
    named = task_of_class(architecture.architecture)
    return "embed" if encoder and named == "generate" else named


def check_task(case: Case) -> None:
    """Return only where the server answers with text, which is what a plan is made for.

    Raises:
        UnsupportedArchitectureError: the model embeds, classifies or ranks.
        RequestError: the user asks a chat model to.
    """
    pooled = [name for name in ("runner", "convert") if case.fixed.get(name) in ("pooling", "embed", "classify")]
    if pooled:
        raise RequestError(
            f"a plan is for models that generate text, not for {case.fixed[pooled[0]]}: drop --set runner and "
            f"convert, or start vLLM without a plan: vllm serve {case.facts.id} --runner pooling"
        )
    task = _case_task(case)
    if task == "generate":
        return
    raise UnsupportedArchitectureError(
        f"{case.facts.id} ({case.architecture.architecture}) {_VERBS[task]} and generates no text: pooling models are "
        f"not planned; start it without a plan: vllm serve {case.facts.id} --runner pooling"
    )


def _case_task(case: Case) -> Task:
    """The task of the class; of the family, where it shares a chat model's class and the user does not insist."""
    family = case.tables.serving.family
    named = task_of(case.architecture)
    if named == "generate" and family is not None and case.fixed.get("runner") != "generate":
        return family.task
    return named
