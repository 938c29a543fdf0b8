"""Released templates: make one, list them, put them where Copier finds them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from generator.rendering import releases, store
from generator.rendering.git import isolated
from generator.rendering.questions import questions as asked_questions
from generator.rendering.template import opened

if TYPE_CHECKING:
    from generator.rendering.questions import Question
    from generator.rendering.releases import TemplateRelease

_CHECKOUT = Path(__file__).parents[2]


def release(
    version: str,
    *,
    when: str,
    notes: str = "",
    recut: bool = False,
    checkout: Path = _CHECKOUT,
    bundle: Path = store.PACKAGED,
) -> TemplateRelease:
    """Append the checkout's template to the packaged bundle; the same input gives the same commit.

    Raises:
        RequestError: the version is taken, malformed, or not the newest; nothing changed; `when` is no day.
    """
    with isolated():
        return releases.release(version, checkout=checkout, bundle=bundle, when=when, notes=notes, recut=recut)


def is_released(checkout: Path = _CHECKOUT, bundle: Path = store.PACKAGED) -> bool:
    """True where the checkout's template is the newest release, so that nothing unreleased can ship."""
    with isolated():
        return releases.is_released(checkout, bundle)


def sync(packaged: Path = store.PACKAGED) -> str:
    """Address of this machine's store, once it holds every release that this package ships.

    Raises:
        RenderError: a released tag was moved, or there is no release.
    """
    with isolated(), opened(store.STORE, packaged) as template:  # a damaged one is mended when it is opened
        return template.source


def released(packaged: Path = store.PACKAGED) -> tuple[TemplateRelease, ...]:
    """Every release that this machine's store holds, oldest first; the store is brought up to date first.

    Raises:
        RenderError: a released tag was moved, or there is no release.
    """
    with isolated():
        return releases.releases(store.STORE, packaged)


def questions(
    template: str | None = None, *, packaged: Path = store.PACKAGED, checkout: Path = _CHECKOUT
) -> tuple[Question, ...]:
    """The questions that take an answer, in order, of a released template or of the checkout's.

    Raises:
        RequestError: there is no such template.
    """
    return asked_questions(template, packaged=packaged, checkout=checkout)


def service_of(model: str, template: str | None = None) -> str:
    """The name that a template gives a model's service where nobody names it."""
    asked = next(one for one in questions(template) if one.name == "service")
    return str(asked.default_for({"model": model}))
