"""What a server can answer with, and what only text has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import RequestError, UnsupportedArchitectureError
from generator.planning.serving.pooling import VERBS, task_of

if TYPE_CHECKING:
    from generator.planning.case import Case


def check_task(case: Case) -> None:
    """Return only where the server can answer as it is asked to, and this planner counts what it takes.

    Raises:
        UnsupportedArchitectureError: the model generates no text, or has modules that no reader counts.
        RequestError: a pooling model is asked for what only text has.
    """
    _check_conversion(case)
    name, architecture = case.facts.id, case.facts.architecture
    task = task_of(architecture, case.model_class)
    if case.pooling is None:
        if task != "generate":
            raise UnsupportedArchitectureError(
                f"{name} ({architecture.architecture}) {VERBS[task]} and generates no text: drop --set runner=generate"
            )
        return
    if case.model_class.own_modules or (architecture.generic and task != "generate"):
        raise UnsupportedArchitectureError(
            f"{name} ({architecture.architecture}) {VERBS[case.pooling.task]} with modules that no reader counts: "
            f"start it without a plan: vllm serve {name} --runner pooling"
        )
    if case.request.tpot_ms:
        raise RequestError(f"{name} {VERBS[case.pooling.task]} and emits no tokens: drop --tpot-ms")
    if case.fixed.get("speculative_config"):
        raise RequestError(f"{name} {VERBS[case.pooling.task]}, nothing is drafted: drop speculative_config")


def _check_conversion(case: Case) -> None:
    """A runner that is named takes the model as it is, or as it is converted (vLLM 0.33 config/model.py:716).

    Raises:
        RequestError: the model is of another kind, and the named conversion does not make it one.
    """
    runner, convert = case.fixed.get("runner", "auto"), case.fixed.get("convert", "auto")
    generates = task_of(case.facts.architecture, case.model_class) == "generate"
    if runner == "pooling" and convert == "none" and generates:
        raise RequestError(f"{case.facts.id} generates text, and runner=pooling needs a conversion: leave convert out")
    if runner == "generate" and convert not in {"auto", "none"}:
        raise RequestError(f"convert={convert} makes a pooling model, which runner=generate does not run: drop one")
