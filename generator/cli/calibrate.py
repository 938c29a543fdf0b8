"""`vllm-wizard calibrate`: what the own machine measured, kept with the answers of a deployment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from generator.cli import console

if TYPE_CHECKING:
    from generator.operations.update import UpdateReport

calibrate = typer.Typer(
    help="What starts and benchmarks of a deployment measured, which its plan rests on.", no_args_is_help=True
)
_DIRECTORY = Annotated[Path, typer.Option("--directory", help="The deployment repository.")]
_FILE = "What `vllm bench serve --save-result` wrote."
_KEY = "Which measurement, as `calibrate list` names it; without one all of them."


@calibrate.command("list")
def list_(*, directory: _DIRECTORY = Path()) -> None:
    """Name each measurement with its figures, and what was planned for the same.

    Example: vllm-wizard calibrate list
    """
    from generator.operations.calibrate import measurements  # noqa: PLC0415 - start-up time
    from generator.presenting.measured import measurement_lines  # noqa: PLC0415

    held = measurements(directory)
    for one in held.values():
        for line in measurement_lines(one):
            console.out(line)
    if not held:
        console.note("nothing is measured yet: vllm-wizard verify LOG --record, vllm-wizard calibrate bench FILE")


@calibrate.command("bench")
def bench(*, file: Annotated[Path, typer.Argument(help=_FILE)], directory: _DIRECTORY = Path()) -> None:
    """Record a benchmark's result, and plan again with it.

    Example: vllm-wizard calibrate bench measurements/result.json
    """
    from generator.operations.calibrate import benchmark_of, record  # noqa: PLC0415 - start-up time

    place = directory.expanduser().absolute()
    _show(record(place, benchmark_of(place, file)))


@calibrate.command("forget")
def forget(*, key: Annotated[str, typer.Argument(help=_KEY)] = "", directory: _DIRECTORY = Path()) -> None:
    """Plan again without a measurement.

    Example: vllm-wizard calibrate forget
    """
    from generator.operations.calibrate import forget as drop  # noqa: PLC0415 - start-up time

    _show(drop(directory.expanduser().absolute(), key))


@calibrate.command("export")
def export(*, directory: _DIRECTORY = Path()) -> None:
    """Print the measurements as rows of the accuracy data, without names of machines, paths or people.

    Example: vllm-wizard calibrate export >> rows.csv
    """
    from generator.operations.calibrate import measurements  # noqa: PLC0415 - start-up time
    from generator.presenting.measured import accuracy_rows  # noqa: PLC0415

    for line in accuracy_rows(tuple(measurements(directory).values())):
        console.out(line)


def _show(report: UpdateReport) -> None:
    from generator.cli.update_report import show_update  # noqa: PLC0415 - start-up time

    show_update(report)
