"""`vllm-wizard adopt`: an edit of serve.yaml becomes part of the plan."""

from pathlib import Path
from typing import Annotated

import typer

from generator.cli import update_report
from generator.errors import ConflictError


def adopt(
    *,
    directory: Annotated[Path, typer.Argument(help="The deployment repository.")] = Path(),
    offline: Annotated[bool, typer.Option("--offline", help="Embedded models and the cache only.")] = False,
) -> None:
    """Turn an edit of serve.yaml into overrides, so that it is planned with and survives every update.

    Example: vllm-wizard adopt
    """
    from generator.operations.adopt import adopt as take  # noqa: PLC0415 - start-up time

    update_report.show_recovered(directory)
    try:
        done = take(directory, offline=offline)
    except ConflictError as conflict:
        if conflict.report is not None:
            update_report.show_update(conflict.report)
        raise
    update_report.show_update(done)
