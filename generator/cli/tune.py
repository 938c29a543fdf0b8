"""`vllm-wizard tune`: better engine values, searched by measuring the deployment's own server."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from generator.cli import console
from generator.cli.running import COMPOSE
from generator.errors import RequestError

if TYPE_CHECKING:
    from generator.models.tuning import Tuned

_VALUES = "Search these alone: NAME=VALUE,VALUE of a vLLM argument; may be repeated."
_TRIALS = "Starts of the server at most, the plan's included."
_SCRIPT = "Start scripts/serve.sh on this host, also where there is Compose."
_VLLM = "The `vllm` that measures, where no container of the server does."


def tune(
    *,
    directory: Annotated[Path, typer.Argument(help="The deployment repository.")] = Path(),
    values: Annotated[list[str] | None, typer.Option("--values", help=_VALUES)] = None,
    trials: Annotated[int, typer.Option("--trials", help=_TRIALS, min=2, max=1000)] = 12,
    minutes: Annotated[float, typer.Option("--minutes", help="Begin no start after so long; 0: no limit.", min=0)] = 0,
    short: Annotated[
        bool, typer.Option("--short", help="One round of the planned load a measurement, not four.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, also where a search can go on.")] = False,
    script: Annotated[bool, typer.Option("--script", help=_SCRIPT)] = False,
    vllm: Annotated[str, typer.Option("--vllm", help=_VLLM)] = "vllm",
    json_: Annotated[bool, typer.Option("--json", help="Print what was tried as one JSON object.")] = False,
    docker: Annotated[str, typer.Option("--docker-compose", help=COMPOSE, envvar="DOCKER_COMPOSE")] = "docker compose",
) -> None:
    """Search better engine values by measuring: start, measure, keep what wins, revert what does not.

    From the plan on, over sequences, tokens of a step, other layouts of the plan and CUDA graphs, on its own branch.
    What the planner refuses is never started. Stopped or killed, the same command goes on where it was.

    Example: vllm-wizard tune --trials 8 --short
    """
    from generator.operations.tuning.tune import tune as search  # noqa: PLC0415 - start-up time

    try:
        found = search(
            directory, values=dict(map(_stated, values or ())), trials=trials, minutes=minutes, short=short,
            fresh=fresh, script=script, vllm=shlex.split(vllm), docker=docker, told=console.note,
        )  # fmt: skip
    except KeyboardInterrupt:
        console.note("what was measured is kept: the same command goes on where it was")
        raise
    if json_:
        console.out(found.model_dump_json(indent=2))
    else:
        _show(found)


def _stated(word: str) -> tuple[str, tuple[Any, ...]]:
    from generator.sources import plain_yaml  # noqa: PLC0415 - start-up time

    name, equals, text = word.partition("=")
    try:
        read = plain_yaml.load(f"[{text}]".encode("utf-8", "surrogateescape"))
    except plain_yaml.NotPlainError as error:
        raise RequestError(
            f"--values {name[:40]}=...: the values are not plain YAML or JSON: {error.reason}"
        ) from error
    if not equals or not name.strip() or not isinstance(read, list) or not read:
        raise RequestError(f"--values {word}: write NAME=VALUE,VALUE, like --values max_num_seqs=16,64")
    return name.strip().lstrip("-").replace("-", "_"), tuple(read)


def _show(found: Tuned) -> None:
    from rich.table import Table  # noqa: PLC0415 - start-up time

    from generator.presenting.tuning import figure, next_steps, winner_text, words_text  # noqa: PLC0415

    table = Table(title=f"{found.unit}, {found.ended}", title_justify="left", box=None, pad_edge=False)
    for heading in ("", "values", "seen", "unseen", "is"):
        table.add_column(heading, justify="right" if heading in {"seen", "unseen"} else "left")
    for one in found.tried:
        unseen = figure(one.held.mean) if one.held else ""
        outcome = f"{one.outcome}: {one.why}" if one.why else one.outcome
        cells = (str(one.step), words_text(one.words), figure(one.score), unseen, outcome)
        table.add_row(*map(console.escaped, cells))
    console.show_table(table)
    console.out(winner_text(found))
    lines = tuple(next_steps(found))
    if lines:
        console.out(f"Plan with it: {lines[0]}\n       or merge its branch: {lines[1]}")
