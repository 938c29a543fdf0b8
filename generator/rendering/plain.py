"""managed(): a release that this package ships, rendered in this process without Copier.

`check` compares managed files with it; Copier would cost it a second. Only what released templates use is
here, and a test compares every release with Copier's own rendering; any other template is left to Copier.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError
from jinja2_ansible_filters import AnsibleCoreFiltersExtension

from generator.errors import RenderError
from generator.rendering.answers import ANSWERS_FILE
from generator.rendering.git import git
from generator.rendering.trust import CONFIG
from generator.rendering.workspace import workspace
from generator.sources.plain_yaml import LOADER

if TYPE_CHECKING:
    from generator.rendering.answers import Answers

_SUFFIX = ".jinja"


def managed(answers: Answers, bundle: Path) -> dict[str, bytes]:
    """Content by name of every file that release `answers.template` of `bundle` renders and that is not the user's.

    Raises:
        RenderError: git or Jinja refused.
    """
    with workspace() as scratch:
        words = ("clone", "--quiet", "--config", "core.autocrlf=false", "--branch", answers.template)
        git(*words, "--", str(bundle), "template", at=scratch)
        root = scratch / "template"
        config: dict[str, Any] = yaml.load((root / CONFIG).read_bytes(), Loader=LOADER)  # noqa: S506 - both are safe
        folder = root / config["_subdirectory"]
        environment = _environment(root, config["_envops"])
        context = {**answers.values, "_copier_conf": {"answers_file": ANSWERS_FILE}}
        try:
            return dict(_files(folder, config, environment, context))
        except TemplateError as error:
            raise RenderError(f"template {answers.template}: {' '.join(str(error).split())}") from error


def users_own(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Patterns of the files that are nobody's but the user's, from a copier.yml; the answers are Copier's."""
    return (*config.get("_skip_if_exists", ()), ANSWERS_FILE)


def matches(name: str, patterns: Iterable[str]) -> bool:
    """As gitignore reads a pattern without a slash: it names a file in any directory."""
    return any(fnmatch(name if "/" in one else name.rpartition("/")[2], one.lstrip("/")) for one in patterns)


def _files(
    folder: Path, config: Mapping[str, Any], environment: Environment, context: Mapping[str, Any]
) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file below `folder` whose name renders to something and that is not the user's."""
    excluded, theirs = config["_exclude"], users_own(config)
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if not path.is_file() or any(fnmatch(part, pattern) for part in parts for pattern in excluded):
            continue
        named = [environment.from_string(part).render(context) if "{" in part else part for part in parts]
        name = str(PurePosixPath(*named)).removesuffix(_SUFFIX)
        if not all(named) or named[-1] == _SUFFIX or matches(name, theirs):
            continue
        content = path.read_bytes()
        if path.suffix == _SUFFIX:
            content = environment.from_string(content.decode()).render(context).encode()
        yield name, content


def _environment(root: Path, options: Mapping[str, Any]) -> Environment:
    """Jinja as Copier sets it up for our templates, but for the planner: no template file calls it."""
    return Environment(  # noqa: S701 - text, no HTML; our own released templates
        loader=FileSystemLoader(root),
        extensions=[AnsibleCoreFiltersExtension],
        optimized=False,  # every template is rendered once
        **{**options, "undefined": StrictUndefined},
    )
