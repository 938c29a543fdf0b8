"""resolve(): two merged branches that changed different inputs become one plan for both changes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml
from packaging.version import Version

from generator.errors import RenderError, RequestError
from generator.models.update import Changes
from generator.operations.handmade import earlier
from generator.operations.scratch import IDENTITY, save, worktree
from generator.operations.settle import Told, settle_conflicts
from generator.operations.transaction import Start, begin
from generator.operations.transaction.files import content, mark
from generator.operations.update import UpdateReport, Wanted, brought, planned_in, unless_conflicts
from generator.rendering import pristine, repository, store
from generator.rendering.answers import ANSWERS_FILE, Answers, of, read
from generator.rendering.git import git, isolated
from generator.rendering.workspace import workspace

if TYPE_CHECKING:
    from generator.operations.transaction import Transaction

_THEIRS = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REBASE_HEAD")
_BY_KEY = ("overrides", "measured")
"""Answers that are mappings: each key is an input of its own."""


class Merge(NamedTuple):
    """The commits of a merge, under way or done."""

    ours: str
    theirs: str
    base: str
    under_way: bool


def resolve(
    root: Path,
    choices: Mapping[str, Any] | None = None,
    *,
    offline: bool = False,
    progress: Callable[[int, int], None] | None = None,
    compare: bool = False,
    packaged: Path = store.PACKAGED,
) -> UpdateReport:
    """Plan again for what both sides of a merge changed, and merge both sides' edits of managed files with it.

    Our side's answers and managed files are the start; the inputs that the other side changed are applied as data,
    then its edits. Every other file stays as the merge left it. `choices` decide inputs that both sides changed.

    Raises:
        RequestError: there is no merge, or both sides changed one input to different values.
        RenderError: a managed file was resolved by hand already, or Copier or git refused.
        ConflictError: edits of both sides, or an edit and the new plan, meet on the same lines.
    """
    place = root.expanduser().absolute()
    with isolated(), workspace():
        read(place)
        with begin(place, "update --resolve") as taken:
            how = Wanted({}, compare=compare, offline=offline, progress=progress, packaged=packaged)
            report = _resolved(taken, choices or {}, how)
    return unless_conflicts(report)


def _resolved(taken: Transaction, choices: Mapping[str, Any], how: Wanted) -> UpdateReport:
    """The report of a merge that was planned again, its files brought home."""
    place, packaged = taken.place, how.packaged
    merge = _merge(place)
    ours, theirs, base = (_answers(place, commit) for commit in (merge.ours, merge.theirs, merge.base))
    changes = their_changes(base, ours, theirs, choices)
    managed = sorted(_managed(ours, packaged) | _managed(theirs, packaged))
    _refuse_handmade(place, merge, managed)
    ref = max(ours.template, theirs.template, key=Version)
    wanted = how._replace(changes=changes, ref=ref if ref != ours.template else None)
    start = Start(place=place, marks=_marks(place), left=frozenset(repository.left_alone(place)))
    with worktree(place, merge.ours) as scratch:
        report = planned_in(scratch, start, wanted)
        names = sorted({*managed, *_named(report)} - {ANSWERS_FILE})
        _apply_their_edits(scratch, merge, theirs, names, packaged)
        report = report.model_copy(update={"files": Changes(changed=(*names, ANSWERS_FILE))})
        report = brought(taken, scratch, start, report, stage=True)
    return report.model_copy(update={"files": repository.changes(place)})


def _marks(place: Path) -> dict[str, str | None]:
    """What lies at the name of every file that git has, or has in conflict."""
    names = git("ls-files", "-z", "--", ".", at=place).split("\0")[:-1]
    return {name: mark(place / name) for name in dict.fromkeys(names)}


def their_changes(base: Answers, ours: Answers, theirs: Answers, choices: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs that the other side changed since `base`, and the choices.

    Raises:
        RequestError: our side changed one of them too, to another value, and no choice decides.
    """
    found: dict[str, Any] = {}
    for name in theirs.inputs:
        old, left, right = (side.inputs.get(name) for side in (base, ours, theirs))
        if name in _BY_KEY:
            left, right = left or {}, _merged(name, old or {}, left or {}, right or {}, choices.get(name) or {})
        elif name == "replan":
            right = max(left or 0, right or 0)
        elif right != old and left not in (old, right) and name not in choices:
            raise RequestError(_undecided(name, left, right))
        elif right == old:
            right = left
        if right != left:
            found[name] = right
    return found | {name: value for name, value in choices.items() if name not in _BY_KEY}


def _merged(
    name: str, old: dict[str, Any], left: dict[str, Any], right: dict[str, Any], choices: Mapping[str, Any]
) -> dict[str, Any]:
    """Our side's mapping with the keys that the other side changed, and the chosen ones."""
    result = dict(left)
    for key in dict.fromkeys([*old, *right]):
        was, one, other = (side.get(key, ...) for side in (old, left, right))
        if other == was or key in choices:
            continue
        if one not in (was, other):
            raise RequestError(_undecided(f"{name}.{key}", one, other))
        if other is ...:
            result.pop(key, None)
        else:
            result[key] = other
    return result | dict(choices)


def _undecided(name: str, left: Any, right: Any) -> str:
    option = f"--set {name.partition('.')[2]}=VALUE" if "." in name else f"--{name.replace('_', '-')} VALUE"
    shown = ["unset" if side is ... else repr(side) for side in (left, right)]
    return f"both branches changed {name}, to {shown[0]} and to {shown[1]}: decide with `update --resolve {option}`"


def _merge(place: Path) -> Merge:
    """The merge under way, or the one that the last commit is."""
    for name in _THEIRS:
        theirs = _commit(place, name)
        if theirs:
            base = _commit(place, f"{theirs}^") if name != "MERGE_HEAD" else _base(place, "HEAD", theirs)
            return Merge(_commit(place, "HEAD"), theirs, base, under_way=True)
    ours, theirs = _commit(place, "HEAD^1"), _commit(place, "HEAD^2")
    if not theirs:
        raise RequestError("no merge is under way, nor is the last commit one: there is nothing to resolve")
    repository.refuse_unready(place)
    return Merge(ours, theirs, _base(place, ours, theirs), under_way=False)


def _base(place: Path, ours: str, theirs: str) -> str:
    found = git("merge-base", ours, theirs, at=place, accept=(0, 1)).strip()
    if not found:
        raise RequestError("the two branches have no common commit: take one side of every file, then update")
    return found


def _commit(place: Path, name: str) -> str:
    return git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", at=place, accept=(0, 1, 128)).strip()


def _answers(place: Path, commit: str) -> Answers:
    """The answers as `commit` records them."""
    try:
        content = yaml.safe_load(git("show", f"{commit}:./{ANSWERS_FILE}", at=place))
    except (RenderError, yaml.YAMLError) as error:
        raise RequestError(f"commit {commit[:12]} holds no readable {ANSWERS_FILE}: nothing can be resolved") from error
    return of(content)


def _managed(answers: Answers, packaged: Path) -> set[str]:
    return set(pristine.managed(answers, store.tags(answers.source), packaged=packaged) or {})


def _refuse_handmade(place: Path, merge: Merge, managed: list[str]) -> None:
    """Return only where no managed file holds a resolution by hand: planning again would overwrite it."""
    if not merge.under_way:
        return
    picks = ("cherry-pick", "--no-commit", merge.theirs)
    joins = ("merge", "--quiet", "--no-commit", "--no-ff", merge.theirs)
    with worktree(place, merge.ours) as scratch:
        same = _base(place, merge.ours, merge.theirs) == merge.base
        git(*IDENTITY, *(joins if same else picks), at=scratch, accept=(0, 1))
        unmerged = git("ls-files", "--unmerged", "-z", "--", ".", at=scratch).split("\0")
        conflicts = {entry.partition("\t")[2] for entry in unmerged}
        clean = [name for name in managed if name not in conflicts]
        changed = [name for name in clean if content(mark(place / name)) != content(mark(scratch / name))]
    if changed:
        raise RenderError(f"{', '.join(changed)} changed since the merge: `git checkout --merge` them first")


def _named(report: UpdateReport) -> tuple[str, ...]:
    files = report.files
    return (*files.added, *files.changed, *files.deleted, *files.conflicts)


def _apply_their_edits(scratch: Path, merge: Merge, theirs: Answers, names: list[str], packaged: Path) -> None:
    """Merge the other side's edits of the files `names` into the updated tree of `scratch`.

    The common ancestor is what the template renders for the other side's answers, so that only edits count.
    """
    planned = save(scratch, "planned again")
    with workspace() as folder:
        made = folder / "made"
        pristine.render(theirs, made, packaged)
        for name in names:
            _put(scratch / name, made / name)
    save(scratch, "the other side as rendered")
    held = set(git("ls-tree", "-r", "-z", "--name-only", merge.theirs, "--", ".", at=scratch).split("\0"))
    for name in names:
        (scratch / name).unlink(missing_ok=True)
    there = [name for name in names if name in held]
    if there:
        git("checkout", "--quiet", merge.theirs, "--", *there, at=scratch)
    edited = save(scratch, "the other side as edited")
    git("checkout", "--quiet", "--detach", planned, at=scratch)
    git(*IDENTITY, "cherry-pick", "--no-commit", edited, at=scratch, accept=(0, 1))
    told = Told(earlier=earlier(scratch, packaged, merge.ours, merge.theirs))
    settle_conflicts(scratch, told=told, words_of_both=True)


def _put(target: Path, source: Path) -> None:
    """Let `target` be what `source` is; nothing is written through a link of the user's, which may lead nowhere."""
    if target.is_symlink():
        target.unlink()
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    else:
        target.unlink(missing_ok=True)
