"""A team's own template remote: publish the released history there, point a repository at it, compare releases."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.models.update import Changes
from generator.models.value import Value
from generator.operations.scratch import worktree
from generator.operations.transaction import begin, started
from generator.rendering import driving, repository, store, trust
from generator.rendering.answers import ANSWERS_FILE, read
from generator.rendering.git import git, isolated
from generator.rendering.template import opened
from generator.rendering.workspace import workspace

if TYPE_CHECKING:
    from generator.rendering.answers import Answers
    from generator.rendering.template import Template

EMBEDDED = "embedded"


class Moved(Value):
    """A repository whose template comes from another place than before."""

    path: Path
    before: str
    after: str
    template: str


def publish(url: str, packaged: Path = store.PACKAGED, *, atomic: bool = True) -> tuple[str, ...]:
    """Push every release that this package ships to a git remote; the releases, oldest first.

    `atomic`: all or nothing, which not every server can do.

    The remote's `main` moves only forwards: where the team has commits of its own on it, nothing lands.

    Raises:
        RenderError: git refused; nothing landed.
    """
    with isolated(), workspace() as folder:
        git("clone", "--quiet", "--bare", "--", str(packaged), "history.git", at=folder)
        way = "--atomic" if atomic else "--no-atomic"
        git("push", "--quiet", way, "--tags", "--", _address(url), "main", at=folder / "history.git")
        return tuple(sorted(store.tags(str(packaged))))


def use(root: Path, source: str, packaged: Path = store.PACKAGED) -> Moved:
    """Point the deployment at `root` to another source of the same releases; its pin stays, nothing is committed.

    `source` is a git URL, or `embedded` for the releases that this package ships.

    Raises:
        RequestError: the source does not have the pinned release, or another one under its name.
        RenderError: the repository is not ready, or the source cannot be read.
    """
    place = root.expanduser().absolute()
    with isolated(), workspace():
        read(place)
        with begin(place, "template use") as taken:
            before = read(place)
            repository.refuse_unready(place)
            after = store.STORE if source == EMBEDDED else _address(source)
            with opened(after, packaged) as template, worktree(place, taken.head) as scratch:
                _refuse_other_history(before, template)
                template.refuse_untrusted(frozenset({before.template}))
                start = started(place, scratch, repository.left_alone(place))
                driving.write_source(scratch, after)
                taken.bring(scratch, Changes(changed=(ANSWERS_FILE,)), start)
    return Moved(path=place, before=before.source, after=after, template=before.template)


def difference(first: str, second: str, packaged: Path = store.PACKAGED) -> str:
    """The difference between two releases as git prints it.

    Raises:
        RequestError: there is no such release.
    """
    with isolated(), opened(store.STORE, packaged) as template:
        for version in (first, second):
            if version not in template.tags:
                raise RequestError(f"there is no template {version}; there are {', '.join(sorted(template.tags))}")
        commits = (template.tags[first], template.tags[second])
        return git("diff", *commits, "--", trust.CONFIG, "templates", at=template.place)


def _address(source: str) -> str:
    """A path on this machine in full, because git and Copier run elsewhere; a URL as it is."""
    place = Path(source).expanduser()
    return str(place.resolve()) if place.exists() else source


def _refuse_other_history(before: Answers, template: Template) -> None:
    """Return only where the new source means by the pinned version what the deployment was made from."""
    version, there, after = before.template, template.tags, template.source
    if version not in there:
        raise RequestError(_lacking(version, after, there))
    ours = before.commit or store.tags(before.source).get(version)
    if ours is not None and ours != there[version]:
        raise RequestError(f"template {version} of {after} is another one: an update could not start from it")


def _lacking(version: str, after: str, there: Iterable[str]) -> str:
    if after != store.STORE:
        return f"{after} has no template {version}: publish it there first (vllm-wizard template publish)"
    newest = store.newest_of(there)
    step = (
        f"but {newest}: move there first, `vllm-wizard update --upgrade --ref {newest}`, once the remote has it"
        if newest and store.order(newest) > store.order(version)
        else "and none that is newer: stay with the remote until vllm-wizard brings one"
    )
    return f"template {version} is the remote's own build; this package does not have it, {step}"
