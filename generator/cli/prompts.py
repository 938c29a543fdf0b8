"""Prompts: the template's own questions, asked of a person for what flags and profile leave open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from generator.catalogue.gpus import all_gpus, find_gpu
from generator.catalogue.models import embedded_ids
from generator.errors import GeneratorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from generator.rendering.questions import Question

_SUGGESTIONS: dict[str, Callable[[], Iterable[str]]] = {
    "model": embedded_ids,
    "gpu": lambda: (gpu.name for gpu in all_gpus()),
}


def ask(questions: Iterable[Question], answers: Mapping[str, Any]) -> dict[str, Any]:
    """The answers, with those of a person where they were missing.

    Raises:
        KeyboardInterrupt: the person stopped; nothing has happened.
    """
    known = dict(answers)
    for question in questions:
        if question.name not in known:
            known[question.name] = _answer(question, known)
    return known


def confirm(text: str) -> bool:
    """Whether the person agrees."""
    import questionary  # noqa: PLC0415 - start-up time

    return bool(questionary.confirm(text, default=True).unsafe_ask())


def _answer(question: Question, known: dict[str, Any]) -> Any:
    import questionary  # noqa: PLC0415 - start-up time

    default = question.default_for(known)
    if question.choices:
        choices = [
            questionary.Choice(label, value, checked=question.multiselect and value in (default or ()))
            for label, value in question.choices
        ]
        if question.multiselect:
            return questionary.checkbox(question.help, choices=choices).unsafe_ask()
        return questionary.select(question.help, choices=choices, default=default).unsafe_ask()
    if question.type == "bool":
        return questionary.confirm(question.help, default=bool(default)).unsafe_ask()
    return _typed(question, _text(question, known, "" if default is None else str(default)))


def _text(question: Question, known: dict[str, Any], default: str) -> str:
    import questionary  # noqa: PLC0415 - start-up time

    def check(text: str) -> bool | str:
        try:
            return question.problem(_typed(question, text), known) or _unknown(question, text) or True
        except ValueError:
            return f"{question.type} expected"

    message = f"{question.help} " + (f"(like {question.placeholder})" if question.placeholder else "")
    if question.name in _SUGGESTIONS:
        offered = list(_SUGGESTIONS[question.name]())
        prompt = questionary.autocomplete(message, choices=offered, default=default, validate=check, match_middle=True)
    else:
        prompt = questionary.text(message, default=default, validate=check)
    return str(prompt.unsafe_ask()).strip()


def _unknown(question: Question, text: str) -> str | None:
    """Why a typed GPU is none of the tables, said at its own question."""
    name = text.strip()
    if question.name != "gpu" or name in {"auto", "custom"}:
        return None
    try:
        find_gpu(name)
    except GeneratorError as error:
        return str(error)
    return None


def _typed(question: Question, text: str) -> Any:
    return {"int": int, "float": float}.get(question.type, str)(text)
