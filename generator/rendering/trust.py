"""What a template may make Copier do: render, and call this package's planner; nothing else."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from generator.errors import RenderError
from generator.rendering.git import git

CONFIG = "copier.yml"
_OURS = re.compile(r"generator\.copier_ext\.PlannerV[0-9]+")
_RUNS_CODE = ("_tasks", "_migrations", "_external_data")
_CONFIGS = re.compile(r"copier\..*", re.IGNORECASE)
_FILES = ("100644", "100755")
_MOST_FILES, _MOST_BYTES = 10_000, 64 * 1024**2
_GITS = re.compile(r"\.git[ .]*|git~[0-9]+", re.IGNORECASE)
_INVISIBLE = re.compile("[\u200c\u200d\u200e\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
"""Characters that a file system ignores in a name (git's utf8.c, is_hfs_dotgit)."""
GIT_PATTERN = "[.][gG][iI][tT]"
"""The pattern for Copier that no path of git's own is rendered, at any depth."""


def refuse_foreign(history: Path, commit: str, name: str) -> None:
    """Return only where the template at a commit of a local history needs nothing beyond this package's planner.

    Raises:
        RenderError: it needs more, holds what no template of ours does, or cannot be read.
    """
    _refuse_tree(history, commit, name)
    refuse_foreign_config(config_of(history, commit), name)


def config_of(history: Path, commit: str) -> str:
    """The text of copier.yml of the template at a commit of a local history.

    Raises:
        RenderError: it has none, or another beside it.
    """
    names = git("ls-tree", "--name-only", "-z", commit, at=history).split("\0")
    found = [name for name in names if _CONFIGS.fullmatch(name)]
    if found != [CONFIG]:
        held = ", ".join(found) or "no configuration"
        raise RenderError(f"template {commit[:12]} has {held} where {CONFIG} was expected")
    return git("show", f"{commit}:{CONFIG}", at=history)


def is_git(name: str) -> bool:
    """True where a part of the path is git's own directory, as any file system may spell it."""
    return any(_GITS.fullmatch(_INVISIBLE.sub("", part.partition(":")[0])) for part in re.split(r"[/\\]", name))


def rendered_into_git(history: Path, commit: str, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Paths of the template that these answers render into a git directory; Copier was told to leave them out."""
    listed = git("ls-tree", "-r", "--name-only", "-z", commit, at=history).split("\0")[:-1]
    context = {**values, "_copier_conf": {"answers_file": ".copier-answers.yml"}}
    return tuple(name for name in listed if is_git(_named(name, context)))


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
    except (yaml.YAMLError, RecursionError, ValueError):
        return ("an unreadable copier.yml",)
    if not all(isinstance(part, dict) for part in documents):
        return ("an unreadable copier.yml",)
    foreign = [word for part in documents for word in _extensions(part) if not _OURS.fullmatch(word)]
    code = [key for part in documents for key in _RUNS_CODE if part.get(key)]
    code += ["_subdirectory" for part in documents if not _is_inside(part.get("_subdirectory") or "")]
    return tuple(dict.fromkeys([*foreign, *code, *(["!include"] if "!include" in config else [])]))


class _Loader(yaml.SafeLoader):
    """A safe loader that reads Copier's `!include` as text and opens nothing."""


_Loader.add_constructor("!include", lambda _loader, node: {"!include": str(node.value)})


def _extensions(part: dict[str, Any]) -> list[str]:
    listed = part.get("_jinja_extensions") or []
    return [str(word) for word in (listed if isinstance(listed, list) else [listed])]


def _is_inside(folder: Any) -> bool:
    """True for a plain directory of the template: a computed one could be anything."""
    parts = str(folder).split("/")
    return (
        not any(word in str(folder) for word in ("{", "\\"))
        and not any(p in ("..", "~") or is_git(p) for p in parts)
        and (not str(folder).startswith("/"))
    )


def _refuse_tree(history: Path, commit: str, name: str) -> None:
    """Return only where the tree holds files alone, few and small enough to be a template's."""
    rows = git("ls-tree", "-r", "-l", "-z", commit, at=history).split("\0")[:-1]
    if len(rows) > _MOST_FILES:
        raise RenderError(f"{name} has {len(rows):,} files, more than the {_MOST_FILES:,} of any template")
    total = 0
    for row in rows:
        (mode, _, _, size), path = row.partition("\t")[0].split(), row.partition("\t")[2]
        if mode not in _FILES:
            what = "a link" if mode == "120000" else "a submodule"
            raise RenderError(f"{name} holds {what}, {path}: a template of vllm-wizard is made of files alone")
        if is_git(path):
            raise RenderError(f"{name} holds {path}, a file of git's own: it could run code, and is not rendered")
        total += int(size)
    if total > _MOST_BYTES:
        raise RenderError(f"{name} has {total:,} bytes, more than the {_MOST_BYTES:,} of any template")


def _named(path: str, context: Mapping[str, Any]) -> str:
    """The path as Jinja renders it part by part; as it stands where only Copier can render it."""
    if "{" not in path:
        return path
    from jinja2 import TemplateError  # noqa: PLC0415 - start-up time of `check`
    from jinja2.sandbox import SandboxedEnvironment  # noqa: PLC0415 - likewise
    from jinja2_ansible_filters import AnsibleCoreFiltersExtension  # noqa: PLC0415 - likewise

    environment = SandboxedEnvironment(extensions=[AnsibleCoreFiltersExtension], autoescape=False)
    parts = []
    for part in path.split("/"):
        try:
            parts.append(environment.from_string(part).render(context) if "{" in part else part)
        except (TemplateError, TypeError, ValueError, OverflowError, MemoryError, RecursionError):
            parts.append(part)
    return "/".join(parts)
