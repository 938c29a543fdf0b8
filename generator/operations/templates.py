"""Released templates, one append-only history, a commit and a tag each: make one, list them, put them in place."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from packaging.version import InvalidVersion, Version

from generator.errors import RenderError, RequestError
from generator.models.value import Value
from generator.rendering import store
from generator.rendering.git import git, isolated
from generator.rendering.questions import questions
from generator.rendering.template import opened
from generator.rendering.workspace import workspace

_IDENTITY = {
    "GIT_AUTHOR_NAME": "vllm-wizard",
    "GIT_AUTHOR_EMAIL": "templates@vllm-wizard.invalid",
    "GIT_COMMITTER_NAME": "vllm-wizard",
    "GIT_COMMITTER_EMAIL": "templates@vllm-wizard.invalid",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


class TemplateRelease(Value):
    """One released template."""

    version: str
    commit: str
    date: str
    """Day of the release as `YYYY-MM-DD`."""
    notes: str = ""


def release(
    version: str,
    *,
    when: str,
    notes: str = "",
    recut: bool = False,
    checkout: Path = store.CHECKOUT,
    bundle: Path = store.PACKAGED,
) -> TemplateRelease:
    """Append the checkout's template to the packaged bundle; the same input gives the same commit.

    `recut` replaces the newest version.

    Raises:
        RequestError: the version is taken, malformed or not the newest; nothing changed; `when` is no day.
    """
    with isolated(), workspace() as scratch:
        history = scratch / "history"
        taken = _open(bundle, history)
        _refuse_version(version, taken, recut=recut)
        if version in taken:
            _drop(history, version)
        _replace_tree(history, checkout)
        if not git("status", "--porcelain", at=history):
            raise RequestError(f"nothing in the template changed since {store.newest(str(bundle))}")
        _commit(history, version, when, notes)
        made = history.with_name("templates.bundle")
        words = ("-c", "pack.threads=1", "bundle", "create", "--quiet", str(made), "HEAD", "main", "--tags")
        git(*words, at=history)
        commit = git("rev-parse", "HEAD", at=history).strip()
        bundle.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made, bundle)
    return TemplateRelease(version=version, commit=commit, date=when, notes=notes)


def is_released(checkout: Path = store.CHECKOUT, bundle: Path = store.PACKAGED) -> bool:
    """True where the checkout's template is, byte for byte, the newest release, so that nothing unreleased can ship."""
    with isolated(), workspace() as scratch:
        history = scratch / "history"
        if not _open(bundle, history):
            return False
        _replace_tree(history, checkout)
        return not git("status", "--porcelain", at=history)


def sync(packaged: Path = store.PACKAGED) -> str:
    """Address of this machine's store, once it holds every release that this package ships.

    Raises:
        RenderError: a released tag was moved, or there is no release.
    """
    with isolated(), opened(store.STORE, packaged) as template:  # a damaged one is mended when it is opened
        return template.source


def released(packaged: Path = store.PACKAGED) -> tuple[TemplateRelease, ...]:
    """Every release that this machine's store holds, oldest first; the store is brought up to date first.

    Raises:
        RenderError: a released tag was moved, or there is no release.
    """
    fields = "%(refname:short)%00%(objectname)%00%(committerdate:short)%00%(contents:body)"
    with isolated(), opened(store.STORE, packaged) as template:
        listing = git("for-each-ref", f"--format={fields}%00%00", "refs/tags", at=template.place)
    rows = (row.strip("\n").split("\0") for row in listing.split("\0\0\n") if row.strip("\n"))
    found = [TemplateRelease(version=row[0], commit=row[1], date=row[2], notes=row[3].strip()) for row in rows]
    return tuple(sorted(found, key=lambda one: Version(one.version)))


def service_of(model: str, template: str | None = None) -> str:
    """The name that a template gives a model's service where nobody names it."""
    asked = next(one for one in questions(template) if one.name == "service")
    return str(asked.default_for({"model": model}))


def _open(bundle: Path, history: Path) -> dict[str, str]:
    """Check the bundle's history out, or begin one; its tags."""
    if not bundle.exists():
        history.mkdir()
        _git(history, "init", "--quiet", "--initial-branch=main", "--object-format=sha1")
        return {}
    _git(history.parent, "clone", "--quiet", "--", str(bundle.absolute()), history.name)
    return store.tags(str(bundle.absolute()))


def _refuse_version(version: str, taken: Mapping[str, str], *, recut: bool) -> None:
    try:
        asked = Version(version)
    except InvalidVersion as error:
        raise RequestError(f"{version!r} is no version: write X.Y.Z") from error
    if version in taken and not recut:
        raise RequestError(f"template {version} is released and stays as it is: release a new version")
    later = sorted((tag for tag in taken if Version(tag) > asked), key=Version)
    if later:
        raise RequestError(f"template {later[-1]} is already released: a release comes after it")


def _drop(history: Path, version: str) -> None:
    """Take the newest release off the history."""
    first = not git("rev-list", "--max-parents=1", "--min-parents=1", version, at=history)
    _git(history, "tag", "--delete", version)
    _git(history, *(("update-ref", "-d", "HEAD") if first else ("reset", "--quiet", "--hard", "HEAD~1")))


def _replace_tree(history: Path, checkout: Path) -> None:
    for entry in history.iterdir():
        if entry.name != ".git":
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    store.copy_template(checkout, history)
    _git(history, "add", "--all", "--force")


def _commit(history: Path, version: str, when: str, notes: str) -> None:
    moment = {"GIT_AUTHOR_DATE": f"{when}T00:00:00+0000", "GIT_COMMITTER_DATE": f"{when}T00:00:00+0000"}
    try:
        _git(history, "commit", "--quiet", "--message", f"Template {version}\n\n{notes}", extra=moment)
    except RenderError as error:
        raise RequestError(f"{when!r} is no day: write YYYY-MM-DD ({error})") from error
    _git(history, "tag", version)


def _git(at: Path, *words: str, extra: Mapping[str, str] | None = None) -> None:
    git(*words, at=at, env={**_IDENTITY, **(extra or {})})
