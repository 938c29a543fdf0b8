"""The conversation: what is open is asked in order, each reply checked where it is given; back and change-one work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from generator.catalogue.gpu_words import BY_HAND
from generator.cli import console
from generator.cli.wizard import asking
from generator.cli.wizard.asking import Turn
from generator.cli.wizard.replies import DIRECTORY, meant, offered, told
from generator.cli.wizard.words import explanation, label, labelled
from generator.errors import GeneratorError, RequestError
from generator.models.request import ASKED
from generator.models.workload import PRESETS

if TYPE_CHECKING:
    from generator.cli.knowing import Known
    from generator.rendering.questions import Question

_DESCRIBES = {"gpu": ("vram_gb", "capability"), "model": ("revision", "service", DIRECTORY)}
"""Answers that are of one GPU or one model, by the answer that names it."""


class Talk:
    """One conversation with a person: the questions, and the answers so far."""

    def __init__(self, questions: Iterable[Question], stated: Mapping[str, Any], known: Known) -> None:
        self.questions = {one.name: one for one in questions}
        self.stated = frozenset(stated)
        self.answers = dict(stated)
        self.known = known
        self._asked: list[tuple[str, ...]] = []
        """Names that each prompt so far has answered."""

    def ask_open(self) -> dict[str, Any]:
        """The answers, once every question that is open and not the expert's has one.

        Raises:
            KeyboardInterrupt: the person stopped; nothing has happened.
        """
        while question := self._next():
            found = self._ask(question)
            if found is None:
                self._go_back()
            else:
                self._asked.append(tuple(found))
                self.answers |= found
        return self.answers

    def change(self) -> bool:
        """Whether one question, picked of all of them, was answered anew; the rest stays as it is."""
        listed = [one for name, one in self.questions.items() if name in (*self.answers, DIRECTORY) or _is_expert(one)]
        named = [(f"{label(one)}: {_shown(self.context(), one.name)}", one.name) for one in listed]
        name = asking.one_of("Which answer?", named)
        if isinstance(name, Turn):
            return False
        found = self._ask(self.questions[name])
        if found is None:
            return False
        for left in _DESCRIBES.get(name, ()):
            if left not in self.stated and found.get(name) != self.answers.get(name):
                self.answers.pop(left, None)
        self.answers |= found
        self.ask_open()
        return True

    def context(self) -> dict[str, Any]:
        """The answers, with the defaults of what nobody was asked."""
        fixed = {name: one.default for name, one in self.questions.items() if not _is_template(one.default)}
        return {**fixed, **self.answers}

    def _next(self) -> Question | None:
        left = (one for name, one in self.questions.items() if name not in self.answers)
        return next((one for one in left if one.ask is not False and one.is_asked(self.context())), None)

    def _go_back(self) -> None:
        """Forget what the last prompt answered, so that it is asked again."""
        for name in self._asked.pop() if self._asked else ():
            self.answers.pop(name, None)

    def _ask(self, question: Question) -> dict[str, Any] | None:
        """The answers that a person gives to one question; None for the way back."""
        while True:
            reply = self._prompted(question)
            if reply is Turn.BACK:
                return None
            if isinstance(reply, str) and len(reply.splitlines()) > 1:
                console.tell("One line at a time: what was pasted has several.", "yellow")
                continue
            if reply is Turn.HELP:
                console.tell(explanation(question))
                continue
            try:
                found = self._meant(question, reply)
                said = told(question, {**self.answers, **found}, self.known)
            except GeneratorError as error:
                console.tell(str(error).replace(BY_HAND, "or type custom to describe it"), "yellow")
                continue
            if said:
                console.tell(said, "dim")
            return found

    def _prompted(self, question: Question) -> Any:
        default = question.default_for(self.context())
        if question.choices:
            ask = asking.many_of if question.multiselect else asking.one_of
            held = self.answers.get(question.name, default)
            return ask(label(question), labelled(question), held)
        shown = _shown({**self.context(), question.name: self.answers.get(question.name, default)}, question.name)
        like = f", like {question.placeholder}" if question.placeholder else ""
        return asking.typed(f"{label(question)}{f' [{shown}]' if shown else like}", offered=offered(question))

    def _meant(self, question: Question, reply: Any) -> dict[str, Any]:
        if not isinstance(reply, str) or question.choices:
            return meant_of_choice(question, reply, self.context())
        held = self.answers.get(question.name, question.default_for(self.context()))
        if not reply and held not in (None, "") and question.name != "gpu":
            reply = str(held)
        return meant(question, reply, self.context(), self.known)


def meant_of_choice(question: Question, value: Any, answers: Mapping[str, Any]) -> dict[str, Any]:
    """The answer that a picked value is.

    Raises:
        GeneratorError: it contradicts the other answers.
    """
    said = question.problem(value, answers)
    if said:
        raise RequestError(said)
    return {question.name: value}


def _is_template(default: Any) -> bool:
    return isinstance(default, str) and ("{{" in default or "{%" in default)


def _is_expert(question: Question) -> bool:
    """Whether it is asked only of who wants to change it: what has an option, and what is beside the request."""
    one = ASKED.get(question.name)
    return one is None or one.panel is not None


def _shown(answers: Mapping[str, Any], name: str) -> str:
    """An answer as its question shows it in brackets: 0 requests in flight as the preset's number."""
    value = answers.get(name)
    preset = PRESETS.get(answers.get("workload", "chat"))
    if name in {"concurrency", "prompt_tokens", "gen_tokens"} and not value and preset:
        return f"{getattr(preset, name):,}, the preset's"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value in (None, "", {}) or _is_template(value) else str(value)
