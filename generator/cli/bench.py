"""`vllm-wizard bench`: the planned load measured on the running server, beside estimate and targets."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from generator.cli import console
from generator.cli.running import COMPOSE, URL
from generator.errors import FindingsError

if TYPE_CHECKING:
    from generator.models.measured import RunCompared
    from generator.operations.running.bench import Bench

_AT_ONCE = "Requests at once, instead of one, a quarter of the planned load and the planned load; may be repeated."
_VLLM = "The `vllm` that measures, where no container of the server does."
_COLOURS = {"met": "green", "as estimated": "green", "better than estimated": "green", "no estimate": "default"}


def bench(
    *,
    directory: Annotated[Path, typer.Argument(help="The deployment repository.")] = Path(),
    url: Annotated[str, typer.Option("--url", help=URL)] = "",
    concurrency: Annotated[list[int] | None, typer.Option("--concurrency", help=_AT_ONCE, min=1)] = None,
    short: Annotated[bool, typer.Option("--short", help="One round of the planned load alone.")] = False,
    vllm: Annotated[str, typer.Option("--vllm", help=_VLLM)] = "vllm",
    record: Annotated[bool, typer.Option("--record", help="Plan again with what the planned load showed.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print what was measured as one JSON object.")] = False,
    docker: Annotated[str, typer.Option("--docker-compose", help=COMPOSE, envvar="DOCKER_COMPOSE")] = "docker compose",
) -> None:
    """Measure the running server under its planned load, and compare with estimate and targets.

    `vllm bench serve` does it, in the server's container where there is one. Results, a table and a picture are kept
    in measurements/; status 8 where a target is missed or the estimate's range is left for the worse.

    Example: vllm-wizard bench --short
    """
    from generator.operations.running.bench import bench as measure  # noqa: PLC0415 - start-up time

    found = measure(
        directory,
        url=url,
        concurrencies=concurrency or (),
        short=short,
        vllm=shlex.split(vllm),
        docker=docker,
        told=lambda text: console.note(f"measuring: {text}"),
        learn=_record if record else None,
    )
    if json_:
        console.out(found.model_dump_json(indent=2))
    else:
        _show(found)
    if found.failures:
        raise FindingsError(f"{'; '.join(found.failures)}: see {found.files[-2]}")


def _record(place: Path, file: Path) -> None:
    from generator.cli.update_report import show_update  # noqa: PLC0415 - start-up time
    from generator.operations.calibrate import benchmark_of, record  # noqa: PLC0415

    show_update(record(place, benchmark_of(place, file)))


def _show(found: Bench) -> None:
    from rich.table import Table  # noqa: PLC0415 - start-up time

    title = f"{found.prompt_tokens:,} prompt + {found.gen_tokens:,} output tokens"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in ("", "measured", "estimated", "target", "is"):
        table.add_column(heading, justify="left" if heading in {"", "is"} else "right", no_wrap=True)
    for run in found.runs:
        table.add_row(f"{run.run.concurrency} at once")
        for row in _rows(run):
            table.add_row(*row)
    console.show_table(table)
    console.note(f"written: {', '.join(found.files)}")


def _rows(run: RunCompared) -> list[tuple[str, ...]]:
    from generator.presenting.bench import expected_text, figure_text  # noqa: PLC0415 - start-up time

    return [
        (
            f"  {one.figure}",
            f"{figure_text(one.measured)} {one.unit}",
            expected_text(one),
            figure_text(one.target),
            f"[{_COLOURS.get(one.outcome, 'red')}]{one.outcome.removesuffix(' than estimated')}[/]",
        )
        for one in run.figures
    ]
