"""`vllm-wizard update`: the same repository for other answers, merged in place."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from generator.cli import console, report
from generator.cli.options import Stated, with_request_options
from generator.errors import ConflictError


@with_request_options
def update(
    *,
    stated: Stated,
    directory: Annotated[Path, typer.Argument(help="The deployment repository.")] = Path(),
    replan: Annotated[bool, typer.Option("--replan", help="Plan again with today's planner and facts.")] = False,
    upgrade: Annotated[bool, typer.Option("--upgrade", help="Move to the newest template too.")] = False,
    ref: Annotated[str, typer.Option("--ref", help="With --upgrade: the template version to move to.")] = "",
    offline: Annotated[bool, typer.Option("--offline", help="Embedded models and the cache only.")] = False,
) -> None:
    """Update a deployment repository: change answers, plan again, merge; your own edits survive.

    Example: vllm-wizard update --model Qwen/Qwen3-14B --gpus 4
    """
    from generator.operations.update import update as merge  # noqa: PLC0415 - start-up time

    for warning in stated.warnings:
        console.warn(warning)
    try:
        done = merge(
            directory,
            _changes(directory, stated.answers, replan=replan),
            upgrade=upgrade or bool(ref),
            ref=ref or None,
            offline=offline,
            progress=console.progress(),
        )
    except ConflictError as conflict:
        if conflict.report is not None:
            report.show_update(conflict.report)
        raise
    report.show_update(done)


def _changes(directory: Path, answers: dict[str, Any], *, replan: bool) -> dict[str, Any]:
    """The answers to change: overrides join the recorded ones, a null one leaves them."""
    from generator.rendering.answers import read  # noqa: PLC0415 - start-up time

    recorded = read(directory.expanduser().absolute()).inputs
    changes = dict(answers)
    if "overrides" in changes:
        changes["overrides"] = recorded.get("overrides", {}) | changes["overrides"]
    if replan:
        changes["replan"] = recorded.get("replan", 0) + 1
    return changes
