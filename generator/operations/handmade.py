"""What somebody wrote by hand: answers that are not the plan's, and lines that no earlier rendering had."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from generator.errors import GeneratorError, RenderError, RequestError
from generator.operations.state import State
from generator.rendering import pristine, store
from generator.rendering.answers import ANSWERS_FILE, Answers, of
from generator.rendering.git import git
from generator.sources.plain_yaml import LOADER

if TYPE_CHECKING:
    from generator.rendering.answers import Answers

_LOOKED_AT = 20


@contextmanager
def explained(place: Path, answers: Answers) -> Iterator[None]:
    """Errors as they were raised, with the way out where it is the answers' file that somebody edited.

    Raises:
        RenderError: it is.
    """
    try:
        yield
    except (RenderError, RequestError) as error:
        way_out = advice(place, answers)
        if not way_out:
            raise
        raise RenderError(f"{error}; {way_out}") from error


def advice(place: Path, answers: Answers) -> str:
    """What to do where the recorded plan is not that of the answers beside it; empty where it is."""
    state = _state(place, answers)
    if state.sound:
        return ""
    if state.merged:
        return "run `vllm-wizard update --resolve`"
    named = f" ({', '.join(state.other_inputs)})" if state.other_inputs else ""
    commit = last_sound(place) or "COMMIT"
    return (
        f"{ANSWERS_FILE} was edited by hand{named}: `git checkout {commit} -- {ANSWERS_FILE}`, commit,"
        " and give the answer to `vllm-wizard update`"
    )


def last_sound(place: Path) -> str:
    """The newest commit whose answers and plan belong together, abbreviated; empty where none of the last ones has."""
    listed = git("log", f"--max-count={_LOOKED_AT}", "--format=%h", "--", ANSWERS_FILE, at=place, accept=(0, 128))
    for commit in listed.split():
        try:
            content = yaml.load(git("show", f"{commit}:./{ANSWERS_FILE}", at=place), Loader=LOADER)  # noqa: S506 - a safe one
            if _state(place, of(content)).sound:
                return commit
        except (GeneratorError, yaml.YAMLError, KeyError, TypeError, AttributeError):
            continue
    return ""


def _state(place: Path, answers: Answers) -> State:
    return State(place=place, answers=answers, offline=True, render=False, today=date.min)


_RENDERED = 6
"""Answer sets that are rendered again, newest first; each takes some tenths of a second."""


def earlier(place: Path, packaged: Path, *commits: str) -> Callable[[str], Iterator[str]]:
    """Texts of a file by its name, as rendered for the answers before these commits; nothing is rendered till asked.

    The commits' own answers are among them where another commit changed them afterwards.
    """

    @cache
    def known() -> tuple[Answers, ...]:
        return tuple(_answers(place, commits or ("HEAD",)))

    @cache
    def rendered(number: int) -> dict[str, bytes]:
        try:
            return pristine.texts(known()[number], store.tags(known()[number].source), packaged)
        except GeneratorError:
            return {}

    def texts(name: str) -> Iterator[str]:
        for number in range(len(known())):
            text = rendered(number).get(name, b"").decode(errors="replace")
            if text:
                yield text

    return texts


def _answers(place: Path, commits: tuple[str, ...]) -> Iterator[Answers]:
    """The last different answers that lead to these commits."""
    words = ("log", f"--max-count={4 * _RENDERED}", "--format=%H", *commits, "--", ANSWERS_FILE)
    seen: list[Answers] = []
    for commit in git(*words, at=place, accept=(0, 128)).split():
        try:
            content = yaml.load(git("show", f"{commit}:./{ANSWERS_FILE}", at=place), Loader=LOADER)  # noqa: S506 - a safe one
            found = of(content)
        except (GeneratorError, yaml.YAMLError):
            continue
        if found not in seen and len(seen) < _RENDERED:
            seen.append(found)
            yield found
