"""copy() and update() of an opened template: the checked copy is rendered, and its own address is recorded."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from generator.errors import RenderError
from generator.rendering.answers import ANSWERS_FILE
from generator.rendering.git import git

if TYPE_CHECKING:
    from generator.rendering.template import Template

_SOURCE = re.compile(rb"^_src_path:[^\n]*(?:\n[ \t]+[^\n]*)*$", re.MULTILINE)
"""The one answer that a copy elsewhere changes; a long value may go on in the next line."""


def copy(template: Template, destination: Path, data: Mapping[str, Any], *, ref: str) -> None:
    """Render the template at `ref`, which was checked, into a new directory.

    Raises:
        GeneratorError: what the planner raised.
        RenderError: what Copier, Jinja or git refused.
    """
    _drive(
        template, "copy", [ref], {"root": destination, "source": str(template.place), "data": dict(data), "ref": ref}
    )
    write_source(destination, template.source)


def update(
    template: Template,
    root: Path,
    data: Mapping[str, Any],
    *,
    ref: str | None,
    pinned: str,
    keep: Sequence[str] = (),
) -> None:
    """Update the working tree at `root`, one of our own, to `ref` (None: the pinned version), answers changed.

    Raises:
        GeneratorError: what the planner raised.
        RenderError: what Copier, Jinja or git refused.
    """
    write_source(root, str(template.place))
    git("update-index", "--assume-unchanged", "--", ANSWERS_FILE, at=root)
    arguments = {"root": root, "data": dict(data), "source": str(template.place), "ref": ref, "keep": list(keep)}
    _drive(template, "update", [pinned, ref or pinned], arguments)
    write_source(root, template.source)
    git("update-index", "--no-assume-unchanged", "--", ANSWERS_FILE, at=root)


def write_source(root: Path, source: str) -> None:
    """Record where the template comes from; nothing else of the answers changes.

    Raises:
        RenderError: the answers name no source.
    """
    path = root / ANSWERS_FILE
    line = yaml.safe_dump({"_src_path": source}, width=1_000_000, allow_unicode=True).rstrip("\n").encode()
    try:
        text, found = _SOURCE.subn(lambda _: line, path.read_bytes(), count=1)
    except OSError as error:
        raise RenderError(f"the template rendered no {ANSWERS_FILE}") from error
    if not found:
        raise RenderError(f"the template's {ANSWERS_FILE} names no _src_path, without which no update finds it again")
    path.write_bytes(text)


def _drive(template: Template, verb: str, refs: Sequence[str], arguments: dict[str, Any]) -> None:
    from generator.rendering import confined, copier_driver  # noqa: PLC0415 - start-up time

    if not all(map(template.is_ours, refs)):
        commits = [template.tags[ref] for ref in dict.fromkeys(refs)]
        confined.confined(verb, template.place, commits, {**arguments, "root": str(arguments["root"])})
        return
    root = arguments.pop("root")
    if verb == "update":
        copier_driver.update(root, **arguments)
    else:
        copier_driver.copy(destination=root, **arguments)
