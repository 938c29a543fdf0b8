"""What the template rendered, without anybody's edits: digests of the managed files, kept in this machine's cache."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from generator.rendering import driving, store
from generator.rendering.git import isolated
from generator.rendering.template import opened
from generator.rendering.workspace import workspace

if TYPE_CHECKING:
    from generator.rendering.answers import Answers
    from generator.rendering.template import Template

_FORMAT = "1"


def managed(
    answers: Answers, tags: Mapping[str, str], *, render: bool = True, packaged: Path = store.PACKAGED
) -> dict[str, str] | None:
    """Digest by name of every file that the pinned template renders for these answers and that is not the user's.

    The first call for an answer set renders, later ones read the cache; None where rendering is needed and not wanted.

    Raises:
        RenderError: Copier or git refused, or the template would run more than this package's planner.
    """
    pinned = [_FORMAT, answers.source, answers.template, tags.get(answers.template)]
    key = hashlib.sha256(json.dumps([pinned, answers.values], sort_keys=True).encode()).hexdigest()
    place = _cache() / f"{key}.json"
    try:
        cached: dict[str, str] = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        if not render:
            return None
        cached = {name: digest(content) for name, content in sorted(texts(answers, tags, packaged).items())}
        _keep(place, cached)
    return cached


def render(answers: Answers, destination: Path, packaged: Path = store.PACKAGED) -> None:
    """Render the pinned template with the recorded answers, plan and facts included, into a new directory.

    Raises:
        RenderError: Copier or git refused, or the template would run more than this package's planner.
    """
    with isolated(), opened(answers.source, packaged) as template:
        render_of(template, answers, destination)


def render_of(template: Template, answers: Answers, destination: Path) -> str:
    """Render an opened template as `render` does; the text of its copier.yml.

    Raises:
        RenderError: as `render`.
    """
    template.refuse_untrusted(frozenset({answers.template}))
    driving.copy(template, destination, answers.values, ref=answers.template)
    return template.config(answers.template)


def texts(answers: Answers, tags: Mapping[str, str], packaged: Path = store.PACKAGED) -> dict[str, bytes]:
    """Content by name of every file that the pinned template renders for these answers and that is not the user's.

    Raises:
        RenderError: as `managed`.
    """
    from generator.rendering import plain  # noqa: PLC0415 - start-up time

    shipped = store.tags(str(packaged))
    if answers.template in shipped and shipped[answers.template] == tags.get(answers.template):
        return plain.managed(answers, packaged)
    return _by_copier(answers, packaged)


def users_own(answers: Answers, packaged: Path = store.PACKAGED) -> dict[str, str]:
    """Digest by name of the files that belong to the user, as the pinned template first renders them.

    Raises:
        RenderError: as `managed`.
    """
    return {name: digest(content) for name, content in _by_copier(answers, packaged, own=True).items()}


def digest(content: bytes) -> str:
    """SHA-256 of a text file, whatever its line ends."""
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()


def _by_copier(answers: Answers, packaged: Path, *, own: bool = False) -> dict[str, bytes]:
    """Files of a fresh copy: those that are the template's, or the user's own."""
    from generator.rendering import plain  # noqa: PLC0415 - start-up time

    with isolated(), workspace() as scratch, opened(answers.source, packaged) as template:
        made = scratch / "made"
        theirs = plain.users_own(yaml.safe_load(render_of(template, answers, made)))
        names = {path.relative_to(made).as_posix(): path for path in made.rglob("*") if path.is_file()}
        return {name: path.read_bytes() for name, path in names.items() if plain.matches(name, theirs) == own}


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "vllm-wizard" / "rendered"


def _keep(place: Path, content: dict[str, str]) -> None:
    """A cache that cannot be written is no error: the next call renders again."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(content), encoding="utf-8")
    except OSError:
        return
