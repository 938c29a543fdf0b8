"""`vllm-wizard status`: the running server beside its plan, on one screen."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from generator.cli import console
from generator.cli.running import COMPOSE, URL

if TYPE_CHECKING:
    from rich.table import Table

    from generator.operations.running.status import Status, Watched

_COLOURS = {True: "green", False: "red", None: "default"}


def status(
    *,
    directory: Annotated[Path, typer.Argument(help="The deployment repository.")] = Path(),
    url: Annotated[str, typer.Option("--url", help=URL)] = "",
    every: Annotated[float, typer.Option("--every", help="Seconds between two readings.", min=0.2)] = 2,
    once: Annotated[bool, typer.Option("--once", help="One reading, also on a terminal.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print one reading as one JSON object.")] = False,
    docker: Annotated[str, typer.Option("--docker-compose", help=COMPOSE, envvar="DOCKER_COMPOSE")] = "docker compose",
) -> None:
    """Show the running server beside its plan: load, queue, cache, preemptions, latency against targets.

    On a terminal it is refreshed until Ctrl-C; latencies and rates are then those of the time between two readings.

    Example: vllm-wizard status --once
    """
    from generator.operations.running.status import status as read  # noqa: PLC0415 - start-up time
    from generator.operations.running.status import watched  # noqa: PLC0415

    server = watched(directory, url=url, docker=docker)
    first = read(server)
    if json_:
        console.out(first.model_dump_json(indent=2, exclude={"metrics"}))
    elif once or not console.stdout().is_terminal:
        console.show(_screen(first))
    else:
        _follow(server, first, every)


def _follow(server: Watched, first: Status, every: float) -> None:
    """Refresh until somebody has seen enough: an interrupt is the way out, and no failure."""
    from rich.live import Live  # noqa: PLC0415 - start-up time

    from generator.operations.running.status import status as read  # noqa: PLC0415 - start-up time

    last, when = first, time.monotonic()
    try:
        with Live(_screen(first), console=console.stdout(), auto_refresh=False) as live:
            while True:
                time.sleep(every)
                now = time.monotonic()
                last, when = read(server, last.metrics, now - when), now
                live.update(_screen(last), refresh=True)
    except KeyboardInterrupt:
        return


def _screen(shown: Status) -> Table:
    from rich.table import Table  # noqa: PLC0415 - start-up time

    table = Table(title=console.escaped(shown.title), title_justify="left", box=None, pad_edge=False)
    for heading in ("", "now", "plan"):
        table.add_column(heading, justify="left" if not heading else "right")
    for one in shown.gauges:
        sign = {True: "", False: " !", None: ""}[one.good]
        table.add_row(one.name, f"[{_COLOURS[one.good]}]{one.now}{sign}[/]", one.plan)
    return table
