"""`vllm-wizard update`: the same repository for other answers, merged in place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from generator.cli import console, update_report
from generator.cli.options import Stated, with_request_options
from generator.cli.proposal import APPLY_HELP, FACTS_HELP, facts_from, proposed
from generator.errors import ConflictError, GeneratorError, RequestError, SourceError
from generator.models.request import Request

if TYPE_CHECKING:
    from generator.operations.update import UpdateReport

_DESCRIBED = {"gpu": ("vram_gb", "capability", "price"), "model": ("revision",)}
"""Answers that describe one GPU or one model, by the answer that names it."""
_TRACE, _TRACED = "trace", ("workload", "prompt_tokens", "gen_tokens", "concurrency", "requests_per_s")
"""The digest of recorded requests, and the answers that it is the source of."""
_KEEP = "With --vllm: pin the defaults that the release changed."


@with_request_options
def update(
    *,
    stated: Stated,
    directory: Annotated[Path, typer.Argument(help="The deployment repository.")] = Path(),
    every: Annotated[bool, typer.Option("--all", help="Every deployment at or below the directory.")] = False,
    replan: Annotated[bool, typer.Option("--replan", help="Plan again with today's planner and facts.")] = False,
    upgrade: Annotated[bool, typer.Option("--upgrade", help="Move to the newest template too.")] = False,
    ref: Annotated[str, typer.Option("--ref", help="With --upgrade: the template version to move to.")] = "",
    keep_defaults: Annotated[bool, typer.Option("--keep-defaults", help=_KEEP)] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do it in a copy, and only report.")] = False,
    report_to: Annotated[Path | None, typer.Option("--report", help="Write the report there as Markdown.")] = None,
    resolve: Annotated[bool, typer.Option("--resolve", help="Plan for the changes of both merged branches.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take the last update back.")] = False,
    resume: Annotated[bool, typer.Option("--continue", help="Finish an update that died while it wrote.")] = False,
    apply: Annotated[int, typer.Option("--apply", min=0, help=APPLY_HELP, show_default=False)] = 0,
    facts: Annotated[Path | None, typer.Option("--facts", help=FACTS_HELP, show_default=False)] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Embedded models and the cache only.")] = False,
) -> None:
    """Update a deployment repository: change answers, plan again, merge; your own edits survive.

    Example: vllm-wizard update --vllm 0.33 --dry-run --report update.md
    """
    for warning in stated.warnings:
        console.warn(warning)
    others = every or dry_run or replan or upgrade or bool(ref) or keep_defaults or bool(apply)
    _refuse_together(undo=undo, resume=resume, resolve=resolve, others=others, stated=stated)
    if undo or resume:
        _undo(directory, resume=resume)
        return
    if report_to is not None and not report_to.parent.is_dir():
        raise SourceError(f"{report_to} cannot be written: {report_to.parent} is no directory; nothing was changed")
    options: dict[str, Any] = {
        "offline": offline,
        "progress": console.progress(),
        "compare": bool(report_to) or dry_run,
    }
    if not resolve:
        options |= {"upgrade": upgrade or bool(ref), "ref": ref or None, "keep_defaults": keep_defaults}

    def one(place: Path) -> UpdateReport:
        update_report.show_recovered(place)
        if resolve:
            from generator.operations.resolve import resolve as settle  # noqa: PLC0415 - start-up time

            return settle(place, stated.answers, **options)
        changes = _changes(place, stated, replan=replan or facts is not None, moves=upgrade or bool(ref))
        changes |= _applied(place, changes, apply, offline=offline) if apply else {}
        return _updated(place, changes, options, dry_run=dry_run)

    with facts_from(facts):
        told = _collected(one, _places(directory, every=every))
    _tell(*told, report_to)


def _collected(
    one: Callable[[Path], UpdateReport], places: tuple[Path, ...]
) -> tuple[list[UpdateReport], list[GeneratorError]]:
    """The report of every place, and the errors, which stop nobody else."""
    done: list[UpdateReport] = []
    failed: list[GeneratorError] = []
    for place in places:
        try:
            done.append(one(place))
        except ConflictError as conflict:
            failed.append(conflict)
            done += [conflict.report] if conflict.report is not None else []
        except GeneratorError as error:
            if len(places) > 1 and str(place) not in str(error):
                error.args = (f"{place}: {error}",)
            failed.append(error)
    return done, failed


def _tell(done: list[UpdateReport], failed: list[GeneratorError], report_to: Path | None) -> None:
    if report_to is not None and done:
        _write(report_to, done)
    for one in done:
        if len(done) + len(failed) > 1:
            console.show(f"[bold]{console.escaped(str(one.path))}[/bold]", whole=True)
        update_report.show_update(one)
    console.raise_first(failed)


def _updated(place: Path, changes: dict[str, Any], options: dict[str, Any], *, dry_run: bool) -> UpdateReport:
    from generator.operations.preview import preview  # noqa: PLC0415 - start-up time
    from generator.operations.update import update as merge  # noqa: PLC0415

    return preview(place, changes, **options) if dry_run else merge(place, changes, **options)


def _places(directory: Path, *, every: bool) -> tuple[Path, ...]:
    from generator.operations.check import deployments  # noqa: PLC0415 - start-up time

    return deployments(directory) if every else (directory,)


def _refuse_together(*, undo: bool, resume: bool, resolve: bool, others: bool, stated: Stated) -> None:
    """Return only where what stands alone does so."""
    alone = [name for name, given in (("--undo", undo), ("--continue", resume), ("--resolve", resolve)) if given]
    answers = bool(stated.answers or stated.dropped) and (undo or resume)
    if len(alone) > 1 or (alone and (others or answers)):
        raise RequestError(f"{alone[0]} stands alone: run the other update after it")


def _undo(directory: Path, *, resume: bool) -> None:
    from generator.operations import undo  # noqa: PLC0415 - start-up time

    done = undo.resume(directory) if resume else undo.undo(directory)
    which = "an update that had died while it wrote" if done.interrupted else "the last update"
    said = f"{which} is finished" if resume else f"are as they were before {which}"
    console.show(f"{len(done.files)} files: {said}" if resume else f"{len(done.files)} files {said}")
    for name in done.files:
        console.show(f"  {console.escaped(name)}")
    for name in done.kept:
        console.warn(f"{name} was written since: it is as you left it")
    if done.commit is not None:
        console.show("\nNext: git diff --staged, then commit")


def _write(place: Path, done: list[UpdateReport]) -> None:
    from generator.presenting.update_report import update_markdown  # noqa: PLC0415 - start-up time

    try:
        place.write_text("\n".join(map(update_markdown, done)), encoding="utf-8")
    except OSError as error:
        raise SourceError(f"{place} cannot be written: {error.strerror}") from error


def _applied(directory: Path, changes: dict[str, Any], number: int, *, offline: bool) -> dict[str, Any]:
    """The answers that the N-th change which the changed deployment's plan proposes would set."""
    from generator.rendering.answers import read  # noqa: PLC0415 - start-up time

    answers = read(directory.expanduser().absolute()).inputs | changes
    return proposed(answers, number, offline=offline)


def _changes(directory: Path, stated: Stated, *, replan: bool, moves: bool) -> dict[str, Any]:
    """The answers to change: engine values join the recorded ones, or replace them where a profile states all.

    A template that keeps no digest of recorded requests is given none, unless the update `moves` to another.
    """
    from generator.rendering.answers import read  # noqa: PLC0415 - start-up time

    recorded = read(directory.expanduser().absolute()).inputs
    changes = _without_leftovers(recorded, stated.answers) | stated.answers
    if _TRACE not in recorded and not moves:
        changes.pop(_TRACE, None)
    if "overrides" in changes or stated.dropped:
        kept = {} if stated.whole else recorded.get("overrides", {})
        joined = kept | changes.get("overrides", {})
        for name in sorted(set(stated.dropped) - joined.keys()):
            console.warn(f"--unset {name}: no value of yours; yours are {', '.join(sorted(joined)) or 'none'}")
        changes["overrides"] = {name: value for name, value in joined.items() if name not in stated.dropped}
    if replan:
        changes["replan"] = recorded.get("replan", 0) + 1
    return changes


def _without_leftovers(recorded: dict[str, Any], stated: dict[str, Any]) -> dict[str, Any]:
    """What was recorded of another GPU or model, and would be untrue of the stated one, back at "not stated"."""
    left = {
        name: Request.model_fields[name].default
        for of, names in _DESCRIBED.items()
        if of in stated and stated[of] != recorded.get(of)
        for name in names
    }
    left = {name: default for name, default in left.items() if recorded.get(name, default) != default}
    other_load = any(name in stated and stated[name] != recorded.get(name) for name in _TRACED)
    return left | ({_TRACE: ""} if recorded.get(_TRACE) and other_load else {})
