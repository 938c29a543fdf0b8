"""update(): change answers of a deployment, plan again, and merge the result with the user's edits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from generator import recording, workflow
from generator.errors import ConflictError, RenderError, RequestError
from generator.models.update import AnswerChange, UpdateSummary
from generator.operations.anchoring import anchored
from generator.operations.handmade import earlier, explained
from generator.operations.migrating import Carried, Edits, carried, edits, own_files
from generator.operations.scratch import worktree
from generator.operations.settle import Told, settle_conflicts, settle_profile
from generator.operations.transaction import begin, started
from generator.rendering import driving, pristine, repository, store
from generator.rendering.answers import ANSWERS_FILE, INPUTS, Answers, checked_naming, read
from generator.rendering.git import isolated
from generator.rendering.template import opened
from generator.rendering.workspace import workspace

if TYPE_CHECKING:
    from generator.operations.transaction import Start, Transaction
    from generator.rendering.template import Template

_ABSENT = None


class UpdateReport(UpdateSummary):
    """What an update did to a deployment; the changes are in its tree, not committed."""

    path: Path
    recovered: tuple[str, ...] = ()
    """Files of an earlier update that had died, taken back before this one."""


class Wanted(NamedTuple):
    """What an update is to change, and how it goes about it."""

    changes: Mapping[str, Any]
    """Answers by name."""
    upgrade: bool = False
    """To the newest template."""
    ref: str | None = None
    """The template to move to."""
    keep_defaults: bool = False
    compare: bool = False
    offline: bool = False
    progress: Callable[[int, int], None] | None = None
    packaged: Path = store.PACKAGED
    decides: bool = False
    """An engine argument that `changes` gives another value has it, whatever was written by hand."""


def update(
    root: Path,
    changes: Mapping[str, Any] | None = None,
    *,
    upgrade: bool = False,
    ref: str | None = None,
    offline: bool = False,
    progress: Callable[[int, int], None] | None = None,
    keep_defaults: bool = False,
    compare: bool = False,
    packaged: Path = store.PACKAGED,
) -> UpdateReport:
    """Apply changed answers to the deployment at `root`; `upgrade` or `ref` also move it to a newer template.

    Another vLLM release carries the recorded overrides along; `keep_defaults` pins the defaults that it changed.
    `compare` also finds out which edits by hand survived, which takes another rendering.

    The tree is left as it was unless the update ends, with or without conflicts.

    Raises:
        RequestError: `root` is no deployment, or an answer is unknown or out of its range.
        RenderError: the repository is not ready, or Copier or git refused.
        ConflictError: the user's edits and the new plan meet on the same lines; carries files and report.
    """
    place = root.expanduser().absolute()
    wanted = Wanted(changes or {}, upgrade, ref, keep_defaults, compare, offline, progress, packaged, decides=True)
    with isolated(), workspace():
        read(place)
        with begin(place, "update") as taken:
            repository.refuse_unready(place)
            with worktree(place, taken.head) as scratch:
                start = started(place, scratch, repository.left_alone(place))
                report = planned_in(scratch, start, wanted)
                report = brought(taken, scratch, start, report)
    return unless_conflicts(report)


def planned_in(scratch: Path, start: Start, wanted: Wanted) -> UpdateReport:
    """Do what `update` does in a tree of our own, with its conflicts, and nothing to what `start` leaves alone.

    Raises:
        GeneratorError: as `update`, but for conflicts.
    """
    before, packaged = read(scratch), wanted.packaged
    with explained(scratch, before), opened(before.source, packaged) as template:
        named = anchored(wanted.changes, str(before.values.get("source") or "auto"))
        moved = carried(before, named, keep_defaults=wanted.keep_defaults)
        data = _changed(before, moved.changes, offline=wanted.offline, progress=wanted.progress)
        target = _target(before, template, upgrade=wanted.upgrade, ref=wanted.ref)
        own = before.source == store.STORE
        edited = edits(scratch, before, render=wanted.compare or own, left=start.left, packaged=packaged)
        driving.update(template, scratch, data, ref=target, pinned=before.template, keep=_kept(start.left))
        after = read_updated(scratch, before)
        _refuse_drift(before, after, data)
        told = Told(_named(before, data) if wanted.decides else {}, earlier(scratch, packaged))
        decided = settle_conflicts(scratch, told=told)
        settle_profile(scratch)
        repository.restore_owned(scratch, _owned(template, {before.template, target or before.template}))
        repository.keep_dropped(scratch, _edited_and_dropped(scratch, before, template, packaged))
        mentions, patch = own_files(scratch, start.place, moved.notes)
        report = _report(scratch, before, after, moved, edited)
        return report.model_copy(update={"mentions": mentions, "patch": patch, "decided": decided})


def brought(
    taken: Transaction, scratch: Path, start: Start, report: UpdateReport, *, stage: bool = False
) -> UpdateReport:
    """The report of what was done in `scratch`, once its files are in the user's tree."""
    files = taken.bring(scratch, report.files, start, stage=stage)
    recovered = taken.recovered.files if taken.recovered else ()
    return report.model_copy(
        update={"path": taken.place, "files": files, "meanwhile": taken.kept, "recovered": recovered}
    )


def unless_conflicts(report: UpdateReport) -> UpdateReport:
    """The report, unless conflicts are left.

    Raises:
        ConflictError: they are; it carries files and report.
    """
    conflicts = report.files.conflicts
    if conflicts:
        names = ", ".join(conflicts)
        raise ConflictError(f"conflicts in {names}: resolve and commit them", files=conflicts, report=report)
    return report


def _changed(
    before: Answers, changes: Mapping[str, Any], *, offline: bool, progress: Callable[[int, int], None] | None
) -> dict[str, Any]:
    """The answers that differ from the recorded ones, and another model's facts where one is asked for."""
    unknown = sorted(changes.keys() - set(INPUTS))
    if unknown:
        near = get_close_matches(unknown[0], INPUTS, n=3)
        raise RequestError(f"{unknown[0]} is no answer of a deployment; the nearest are {', '.join(near) or 'none'}")
    request = workflow.concrete(recording.request_of(before.inputs | dict(changes)))
    wanted = {k: v for k, v in request.model_dump(mode="json").items() if k in changes} | checked_naming(changes)
    data = {name: value for name, value in wanted.items() if before.values.get(name) != value}
    known = before.values.get(recording.FACTS) or {}
    facts = recording.facts_changed(request, known, data, offline=offline, progress=progress)
    if not request.servers:
        proof = workflow.prove(request, recording.facts_of(facts or known), compared=False)
        data |= {"servers": proof.request.servers}
    return data if facts is None else data | {recording.FACTS: facts}


def _named(before: Answers, data: Mapping[str, Any]) -> dict[str, Any]:
    """Engine arguments that get another value by name."""
    recorded = before.values.get("overrides") or {}
    stated: dict[str, Any] = data.get("overrides") or {}
    return {name: value for name, value in stated.items() if recorded.get(name, ...) != value}


def _target(before: Answers, template: Template, *, upgrade: bool, ref: str | None) -> str | None:
    """The version to move to, None for the pinned one; every version involved is known and harmless.

    Raises:
        RequestError: it is older than the pinned one, which Copier refuses too.
        RenderError: a version is unknown, was moved, or would run more than the planner.
    """
    target = ref or (template.newest if upgrade else None)
    if target and store.is_older(target, before.template):
        raise RequestError(
            f"template {target} is older than this deployment's {before.template}, and no update goes back: revert the "
            "commit that moved it (vllm-wizard update --undo, or git revert), or generate anew (vllm-wizard generate "
            f"--profile profile.yaml --template {target} --output-dir NEW)"
        )
    refs = frozenset({before.template, target or before.template})
    template.refuse_untrusted(refs, recorded={before.template: before.commit})
    return target


def _kept(left: Iterable[str]) -> tuple[str, ...]:
    """Patterns of the files that Copier must leave alone.

    Raises:
        RenderError: the answers are among them, which are Copier's own.
    """
    names = tuple(left)
    if ANSWERS_FILE in names:
        raise RenderError(
            f"{ANSWERS_FILE} has edits that git does not show, or is no UTF-8 text: `git update-index"
            f" --no-skip-worktree --no-assume-unchanged {ANSWERS_FILE}`, and restore it"
        )
    return repository.patterns(names)


def _owned(template: Template, refs: set[str]) -> tuple[str, ...]:
    """Patterns of the files that these versions of the template make once and never again."""
    configs = [yaml.safe_load(template.config(ref)) for ref in refs]
    found = dict.fromkeys(str(one) for config in configs for one in config.get("_skip_if_exists") or ())
    return tuple(found)


def _edited_and_dropped(place: Path, before: Answers, template: Template, packaged: Path) -> tuple[str, ...]:
    """Files that the template no longer renders and that the user had edited: Copier deletes them without a word."""
    gone = repository.changes(place).deleted
    if not gone:
        return ()
    rendered = pristine.managed(before, template.tags, packaged=packaged) or {}
    return tuple(name for name in gone if pristine.digest(repository.committed(place, name)) != rendered.get(name))


def read_updated(place: Path, before: Answers) -> Answers:
    """The answers after an update; the answers file itself is never merged.

    Raises:
        RenderError: the template rendered none.
    """
    try:
        return read(place)
    except RequestError as error:
        raise RenderError(f"template {before.template} rendered no answers file") from error


def _refuse_drift(before: Answers, after: Answers, data: Mapping[str, Any]) -> None:
    """Return only where exactly the asked answers changed: Copier replaces a dropped choice without a word.

    Raises:
        RequestError: the template has no such question.
        RenderError: an answer changed that nobody asked to change.
    """
    for name, value in after.inputs.items():
        asked = data.get(name, before.values.get(name, value))
        if value != asked:
            raise RenderError(
                f"template {after.template} would turn {name} from {asked!r} into {value!r}: nothing changed;"
                f" say what {name} should be"
            )
    lost = [name for name in (*before.inputs, *data) if name not in after.values]
    if lost:
        raise RequestError(f"template {after.template} does not ask for {lost[0]}: nothing was changed; try --upgrade")


def _report(scratch: Path, before: Answers, after: Answers, moved: Carried, edited: Edits | None) -> UpdateReport:
    files = repository.changes(scratch)
    gone = {*files.conflicts, *files.deleted}
    return UpdateReport(
        path=scratch,
        template_before=before.template,
        template_after=after.template,
        answers=differences(before.inputs, after.inputs),
        engine=differences(before.plan.engine, after.plan.engine),
        plan_before=before.plan,
        plan_after=after.plan,
        files=files,
        migrated=moved.notes,
        kept=None if edited is None else tuple(name for name in edited.merged if name not in gone),
        left=() if edited is None else edited.left,
        absent=() if edited is None else edited.absent,
    )


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[AnswerChange, ...]:
    """Names whose values differ, in the order of `after`, then those that are gone."""
    names = dict.fromkeys([*after, *before])
    pairs = ((name, before.get(name, _ABSENT), after.get(name, _ABSENT)) for name in names)
    return tuple(AnswerChange(name=name, before=old, after=new) for name, old, new in pairs if old != new)
