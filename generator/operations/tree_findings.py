"""Findings about the working tree: what died in it, what is gone from it, what git does not have of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from generator.errors import GeneratorError
from generator.operations import transaction
from generator.operations.look import Look, Severity, says
from generator.presenting.text import some
from generator.rendering import pristine, repository, store
from generator.rendering.answers import ANSWERS_FILE, of
from generator.sources import plain_yaml
from generator.sources.plain_yaml import LOADER

if TYPE_CHECKING:
    from generator.operations.state import State


_IS_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@says("An update died here while it wrote{}: `vllm-wizard update --continue` finishes it, `--undo` takes it back")
def _interrupted_update(state: State) -> Iterator[str]:
    if state.in_git and transaction.is_interrupted(state.place):
        yield ""


@says("The template's address holds a password, {}: change it, and `vllm-wizard template use` the address without")
def _secret_address(state: State) -> Iterator[str]:
    if store.has_secret(state.answers.source):
        yield store.shown(state.answers.source)


@says("Edits that the last commit has are gone from {}: `git diff` shows them, `git restore` brings them back")
def _lost_edits(state: State) -> Iterator[str]:
    if not state.in_git or not state.rendered:
        return
    as_rendered = [name for name in repository.changes(state.place).changed if _is_rendered(state, name)]
    before = _rendered_before(state) if as_rendered else {}
    edited = [
        name
        for name in as_rendered
        if before.get(name) not in (None, pristine.digest(repository.committed(state.place, name)))
    ]
    if edited:
        yield some(tuple(edited))


@says("Managed files that git does not have yet: {}: `git add` and commit them, or the next update refuses")
def _uncommitted_files(state: State) -> Iterator[str]:
    if state.in_git and state.rendered:
        new = [name for name in repository.untracked(state.place) if name in state.rendered]
        if new:
            yield some(tuple(new))


@says("{}: rename its own file back, or change the model there too")
def _other_model(state: State) -> Iterator[str]:
    planned = str(state.answers.values.get("model"))
    for path in sorted(state.place.glob("*compose*.y*ml")):
        named = [one for one in _served(path) if one != planned]
        if named and _IS_ID.fullmatch(planned):
            yield f"{path.name} serves {named[0]}, the plan is for {planned}"


def _served(path: Path) -> Iterator[str]:
    """Hub ids that services with vLLM's image name in a Compose file."""
    try:
        with path.open("rb") as file:
            content = plain_yaml.load(file.read(plain_yaml.MOST_BYTES + 1))
    except (OSError, plain_yaml.NotPlainError):
        return
    services = content.get("services") if isinstance(content, dict) else None
    for service in services.values() if isinstance(services, dict) else ():
        if isinstance(service, dict) and "vllm" in str(service.get("image")):
            command = service.get("command") or []
            words = [str(word) for word in (command if isinstance(command, list) else str(command).split())]
            behind = [word for flag, word in pairwise(words) if flag == "--model"]
            yield from (word for word in (*words[:1], *behind) if _IS_ID.fullmatch(word))


def _is_rendered(state: State, name: str) -> bool:
    """True where a file is what the template renders, without any edit."""
    try:
        return pristine.digest((state.place / name).read_bytes()) == (state.rendered or {}).get(name)
    except OSError:
        return False


def _rendered_before(state: State) -> dict[str, str]:
    """Digests of what the template rendered for the answers of the last commit; empty where nobody knows."""
    try:
        answers = of(yaml.load(repository.committed(state.place, ANSWERS_FILE), Loader=LOADER))  # noqa: S506 - a safe one
        return pristine.managed(answers, state.tags, render=state.render, packaged=state.packaged) or {}
    except (GeneratorError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        return {}


CHECKS: tuple[tuple[Severity, Look], ...] = (
    ("error", _interrupted_update),
    ("error", _secret_address),
    ("warning", _lost_edits),
    ("warning", _uncommitted_files),
    ("warning", _other_model),
)
"""These findings with their severities."""
