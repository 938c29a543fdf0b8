"""earlier(): files as they were rendered for the answers of earlier commits; such lines are nobody's words."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import yaml

from generator.errors import GeneratorError
from generator.rendering import pristine, store
from generator.rendering.answers import ANSWERS_FILE, of
from generator.rendering.git import git
from generator.sources.plain_yaml import LOADER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from generator.rendering.answers import Answers

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
