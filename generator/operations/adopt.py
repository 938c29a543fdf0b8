"""adopt(): an edit of serve.yaml becomes an override, so that the next plan reckons with it."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from generator.catalogue.engines import engine
from generator.errors import RenderError, RequestError
from generator.models.engine import Engine
from generator.operations.scratch import save, worktree
from generator.operations.settle import settle
from generator.operations.transaction import begin, started
from generator.operations.update import UpdateReport, Wanted, brought, planned_in, unless_conflicts
from generator.rendering import repository, store
from generator.rendering.answers import read
from generator.rendering.git import git, isolated
from generator.rendering.workspace import workspace

SERVE = "serve.yaml"


def adopt(root: Path, *, offline: bool = False, packaged: Path = store.PACKAGED) -> UpdateReport:
    """Turn what serve.yaml says otherwise than the recorded plan into overrides, and plan with them.

    The edit may be committed or not; nothing else may be uncommitted. A removed line leaves its argument to vLLM.

    Raises:
        RequestError: serve.yaml says what the plan says, or what the vLLM release refuses.
        RenderError: the repository is not ready, or Copier or git refused.
        ConflictError: the edit and the new plan meet on the same lines.
    """
    place = root.expanduser().absolute()
    with isolated(), workspace():
        read(place)
        with begin(place, "adopt") as taken:
            before = read(place)
            _refuse_unready(place)
            stated = edited_arguments(place, before.plan.serve, engine(str(before.values.get("vllm") or "")))
            overrides = {**(before.values.get("overrides") or {}), **stated}
            wanted = Wanted({"overrides": overrides}, offline=offline, packaged=packaged)
            with worktree(place, taken.head) as scratch:
                shutil.copy2(place / SERVE, scratch / SERVE)
                save(scratch, "edit of serve.yaml")
                start = started(place, scratch, repository.left_alone(place))
                report = planned_in(scratch, start, wanted)
                planned = read(scratch).plan.serve
                settle(scratch, SERVE, lambda _, merged: bool(yaml.safe_load(merged.read_bytes()) == planned))
                report = report.model_copy(update={"files": repository.changes(scratch)})
                report = brought(taken, scratch, start, report, stage=True)
        report = report.model_copy(update={"files": repository.changes(place)})
    return unless_conflicts(report)


def edited_arguments(place: Path, planned: Mapping[str, Any], release: Engine) -> dict[str, Any]:
    """Engine arguments that serve.yaml at `place` states otherwise than `planned`; None for a removed line.

    Raises:
        RequestError: no difference, not YAML, or the release refuses one.
    """
    try:
        served = yaml.safe_load((place / SERVE).read_bytes())
    except OSError as error:
        raise RequestError(f"{place / SERVE} cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        raise RequestError(f"{SERVE} line {line} is not valid YAML: correct it") from error
    if not isinstance(served, dict):
        raise RequestError(f"{SERVE} is no mapping of arguments to values")
    old, new = (
        dict(_argument(str(key), value, release) for key, value in content.items()) for content in (planned, served)
    )
    changed = {name: release.check(name, value) for name, value in new.items() if old.get(name, ...) != value}
    changed |= dict.fromkeys(name for name in old if name not in new)
    if not changed:
        raise RequestError(f"{SERVE} says what the plan says: there is nothing to adopt")
    return changed


def _argument(key: str, value: Any, release: Engine) -> tuple[str, Any]:
    name = key.replace("-", "_")
    positive = name.removeprefix("no_")
    if name not in release.by_name and positive in release.by_name and value is True:
        return positive, False
    if name == "model":
        raise RequestError("serve.yaml names no model: use `vllm-wizard update --model`")
    flag = release.flag(name)
    if flag.type == "bool" and value is False:
        raise RequestError(f"{SERVE}: vLLM ignores `{key}: false`; write `no-{key}: true`")
    return flag.name, value


def _refuse_unready(place: Path) -> None:
    """Return only where nothing but serve.yaml differs from the last commit."""
    try:
        git("rev-parse", "--verify", "--quiet", "HEAD", at=place)
    except RenderError:
        repository.refuse_unready(place)
    now = repository.changes(place)
    others = [name for name in (*now.added, *now.changed, *now.deleted, *now.conflicts) if name != SERVE]
    if others or now.conflicts:
        repository.refuse_unready(place)
