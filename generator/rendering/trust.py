"""What a template may make Copier do: render, and call this package's planner; nothing else."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import yaml

from generator.errors import RenderError
from generator.rendering.git import git

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = "copier.yml"
_OURS = re.compile(r"generator\.copier_ext\.PlannerV[0-9]+")
_RUNS_CODE = ("_tasks", "_migrations", "_external_data")
_CONFIGS = re.compile(r"copier\..*", re.IGNORECASE)


def refuse_foreign(source: str, refs: frozenset[str]) -> None:
    """Return only where the template at every ref needs nothing beyond this package's planner.

    Raises:
        RenderError: it needs more, or cannot be read.
    """
    with _history(source) as history:
        for ref in sorted(refs):
            refuse_foreign_config(_config(history, ref), f"template {ref} of {source}")


def config_at(source: str, ref: str) -> str:
    """The text of copier.yml of the template at `ref`.

    Raises:
        RenderError: the template cannot be read.
    """
    with _history(source) as history:
        return _config(history, ref)


@contextmanager
def _history(source: str) -> Iterator[Path]:
    """A bare copy of the template's history."""
    with TemporaryDirectory(prefix="vllm-wizard-") as scratch:
        folder = Path(scratch)
        location = str(Path(source).expanduser()) if source.startswith("~") else source
        git("clone", "--quiet", "--bare", "--", location.removeprefix("git+"), "history.git", at=folder)
        yield folder / "history.git"


def refuse_foreign_config(config: str, name: str) -> None:
    """Return only where this copier.yml needs nothing beyond this package's planner.

    Raises:
        RenderError: it needs more.
    """
    found = features(config)
    if found:
        raise RenderError(
            f"{name} would run {', '.join(found)}: read it; if you trust it, run `copier --trust` yourself"
        )


def features(config: str) -> tuple[str, ...]:
    """What a copier.yml asks Copier to run or read beyond rendering with this package's planner."""
    try:
        documents = [part for part in yaml.load_all(config, Loader=_Loader) if part]
    except yaml.YAMLError:
        return ("an unreadable copier.yml",)
    if not all(isinstance(part, dict) for part in documents):
        return ("an unreadable copier.yml",)
    foreign = [word for part in documents for word in _extensions(part) if not _OURS.fullmatch(word)]
    code = [key for part in documents for key in _RUNS_CODE if part.get(key)]
    return tuple(dict.fromkeys([*foreign, *code, *(["!include"] if "!include" in config else [])]))


class _Loader(yaml.SafeLoader):
    """A safe loader that reads Copier's `!include` as text and opens nothing."""


_Loader.add_constructor("!include", lambda _loader, node: {"!include": str(node.value)})


def _extensions(part: dict[str, Any]) -> list[str]:
    listed = part.get("_jinja_extensions") or []
    return [str(word) for word in (listed if isinstance(listed, list) else [listed])]


def _config(history: Path, ref: str) -> str:
    """The one configuration file of the template at `ref`."""
    if ref.startswith("-"):
        raise RenderError(f"{ref!r} is no template version")
    names = [name for name in git("ls-tree", "--name-only", ref, at=history).split("\n") if _CONFIGS.fullmatch(name)]
    if names != [CONFIG]:
        raise RenderError(f"template {ref} has {', '.join(names) or 'no configuration'} where {CONFIG} was expected")
    return git("show", f"{ref}:{CONFIG}", at=history)
