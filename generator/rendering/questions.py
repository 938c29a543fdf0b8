"""The template's own questions, for whoever asks them instead of Copier."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined
from jinja2_ansible_filters import AnsibleCoreFiltersExtension

from generator.copier_ext import PlannerV1
from generator.models.value import Value
from generator.rendering import store
from generator.rendering.answers import INPUTS
from generator.rendering.git import isolated
from generator.rendering.template import opened

_ASKING = {"defaults": False}
"""What a template may know of how its questions are answered: here a person is there to be asked."""


class Question(Value):
    """One question of copier.yml that a person is asked."""

    name: str
    help: str
    type: str
    choices: tuple[tuple[str, Any], ...] = ()
    """Label and value of each choice; empty for free text."""
    multiselect: bool = False
    default: Any = None
    placeholder: str = ""
    validator: str = ""
    ask: bool | str = True
    """Whether a person is asked, as a template over the answers so far where it depends on them."""

    def is_asked(self, answers: Mapping[str, Any]) -> bool:
        """Whether a person is asked, the other answers being these."""
        if isinstance(self.ask, bool):
            return self.ask
        return _rendered(self.ask, answers) == "True"

    def default_for(self, answers: Mapping[str, Any]) -> Any:
        """The default, computed from the answers so far where it depends on them."""
        if isinstance(self.default, str) and ("{{" in self.default or "{%" in self.default):
            return _rendered(self.default, answers)
        return self.default

    def problem(self, value: Any, answers: Mapping[str, Any]) -> str:
        """What is wrong with `value` as an answer; empty where nothing is."""
        return _rendered(self.validator, {**answers, self.name: value}) if self.validator else ""


def questions(
    template: str | None = None, *, packaged: Path = store.PACKAGED, checkout: Path = store.CHECKOUT
) -> tuple[Question, ...]:
    """The questions that take an answer, in order, of a released template or of the checkout's.

    Raises:
        RequestError: there is no such template.
        RenderError: it would run more than this package's code.
    """
    if template == store.WORKTREE:
        text = store.config_of(checkout).read_text(encoding="utf-8")
    else:
        version = template or store.newest(str(packaged))
        with isolated(), opened(store.STORE, packaged) as history:
            history.refuse_untrusted(frozenset({version}))
            text = history.config(version)
    config = yaml.safe_load(text)
    return tuple(_question(name, spec) for name, spec in config.items() if name in INPUTS)


def _question(name: str, spec: dict[str, Any]) -> Question:
    listed = spec.get("choices") or []
    pairs = listed.items() if isinstance(listed, dict) else ((str(choice), choice) for choice in listed)
    kept = {
        key: spec[key]
        for key in ("help", "type", "multiselect", "default", "placeholder", "validator", "ask")
        if key in spec
    }
    if kept["type"] == "json" and kept.get("default") == "{}":
        kept["default"] = {}
    return Question(name=name, choices=tuple(pairs), **kept)


def _rendered(text: str, answers: Mapping[str, Any]) -> str:
    environment = Environment(  # noqa: S701 - plain text, no HTML
        extensions=[AnsibleCoreFiltersExtension, PlannerV1], undefined=StrictUndefined
    )
    return environment.from_string(text).render({"UNSET": "", "_copier_conf": _ASKING, **answers}).strip()
