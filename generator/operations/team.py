"""A team's own template remote: publish the released history there, point a repository at it, compare releases."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.models.value import Value
from generator.rendering import repository, store, trust
from generator.rendering.answers import ANSWERS_FILE, read
from generator.rendering.git import git, isolated

if TYPE_CHECKING:
    from collections.abc import Iterable

    from generator.rendering.answers import Answers

EMBEDDED = "embedded"
_SOURCE = re.compile(r"^_src_path: .*$", re.MULTILINE)


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
    with isolated(), TemporaryDirectory(prefix="vllm-wizard-") as scratch:
        folder = Path(scratch)
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
    with isolated():
        before = read(place)
        repository.refuse_unready(place)
        after = store.ensure(packaged) if source == EMBEDDED else _address(source)
        _refuse_other_history(before, after)
        store.refuse_untrusted(after, frozenset({before.template}), packaged)
        answers = place / ANSWERS_FILE
        text = answers.read_text(encoding="utf-8")
        answers.write_text(_SOURCE.sub(lambda _: f"_src_path: {after}", text, count=1), encoding="utf-8")
    return Moved(path=place, before=before.source, after=after, template=before.template)


def difference(first: str, second: str, packaged: Path = store.PACKAGED) -> str:
    """The difference between two releases as git prints it.

    Raises:
        RequestError: there is no such release.
    """
    with isolated(), TemporaryDirectory(prefix="vllm-wizard-") as scratch:
        source = store.ensure(packaged)
        known = store.tags(source)
        for version in (first, second):
            if version not in known:
                raise RequestError(f"there is no template {version}; there are {', '.join(sorted(known))}")
        location = str(Path(source).expanduser())
        git("clone", "--quiet", "--bare", "--", location, "history.git", at=Path(scratch))
        return git("diff", first, second, "--", trust.CONFIG, "templates", at=Path(scratch) / "history.git")


def _address(source: str) -> str:
    """A path on this machine in full, because git and Copier run elsewhere; a URL as it is."""
    place = Path(source).expanduser()
    return str(place.resolve()) if place.exists() else source


def _refuse_other_history(before: Answers, after: str) -> None:
    """Return only where the new source means by the pinned version what the deployment was made from."""
    version, there = before.template, store.tags(after)
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
