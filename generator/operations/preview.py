"""preview(): an update in a copy of the repository, for its report; the deployment stays as it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from generator.errors import ConflictError
from generator.operations.update import UpdateReport, update
from generator.rendering import repository
from generator.rendering.answers import read
from generator.rendering.git import git, isolated
from generator.rendering.workspace import workspace


def preview(root: Path, changes: Mapping[str, Any] | None = None, **options: Any) -> UpdateReport:
    """What `update` with the same arguments would do to the deployment at `root`.

    Raises:
        GeneratorError: what `update` would raise; a ConflictError carries the report.
    """
    place = root.expanduser().absolute()
    with workspace() as scratch:
        with isolated():
            read(place)
            repository.refuse_unready(place)
            copied = _copy(place, scratch)
        try:
            return _of(update(copied, changes, **options), place)
        except ConflictError as conflict:
            report = _of(conflict.report, place)
            raise ConflictError(str(conflict), files=conflict.files, report=report) from conflict


def _copy(place: Path, scratch: Path) -> Path:
    """A clone of the repository's last commit that shares its objects; the deployment's directory in it."""
    top = git("rev-parse", "--show-toplevel", at=place).rstrip("\n")
    prefix = git("rev-parse", "--show-prefix", at=place).rstrip("\n")
    commit = git("rev-parse", "HEAD", at=place).strip()
    git("clone", "--quiet", "--shared", "--no-checkout", "--", top, "copy", at=scratch)
    git("checkout", "--quiet", "--detach", commit, at=scratch / "copy")
    return scratch / "copy" / prefix


def _of(report: UpdateReport, place: Path) -> UpdateReport:
    return report.model_copy(update={"path": place, "dry_run": True})
