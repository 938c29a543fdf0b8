"""`vllm-wizard models`: which models these GPUs hold."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from generator.cli import console
from generator.cli.knowing import with_detected_gpus
from generator.cli.options import Stated, request_from, with_request_options
from generator.errors import RequestError

if TYPE_CHECKING:
    from generator.models.request import Request
    from generator.workflow import Holding

_MOST, _FASTEST, _NARROW = 15, 3, 6
_ANY = "any"
_OFFLINE = "Embedded models only, as without it: the Hub is never asked."
_TASK = "Only models for this."


@with_request_options
def models(
    *,
    stated: Stated,
    task: Annotated[
        Literal["chat", "code", "embed", "reasoning", "tools", "vision"] | None,
        typer.Option("--task", help=_TASK, show_default=False),
    ] = None,
    by: Annotated[Literal["size", "speed"], typer.Option("--by", help="What comes first.")] = "size",
    offline: Annotated[bool, typer.Option("--offline", help=_OFFLINE)] = False,  # noqa: ARG001 - it never asks
    json_: Annotated[bool, typer.Option("--json", help="Print every row as one JSON array.")] = False,
) -> None:
    """Show which models fit the GPUs, quantized siblings among them: the biggest or the fastest first.

    Of the models whose facts this program holds; `plan` takes each of them with the same options.

    Example: vllm-wizard models --gpu RTX-3090 --gpus 4 --task code
    """
    from generator.workflow import models_for  # noqa: PLC0415 - start-up time

    if stated.answers.get("model"):
        raise RequestError("models lists what the GPUs hold: leave the model out, or `vllm-wizard plan` it")
    request = request_from(with_detected_gpus({**stated.answers, "model": _ANY}))
    found = models_for(request, task=task, by=by)
    if json_:
        console.out(json.dumps([row.model_dump(mode="json") for row in found.rows], indent=2))
        return
    _show(request, found, task=task or "")


def _show(request: Request, found: Holding, *, task: str) -> None:
    from rich.table import Table  # noqa: PLC0415 - start-up time

    from generator.presenting.held import CELLS, cells, fastest_line  # noqa: PLC0415 - likewise

    rows, nodes = found.rows, f"{request.nodes} x " if request.nodes > 1 else ""
    kind = f" for {task}" if task else ""
    console.show(f"{len(rows)} of {found.tried} embedded models{kind} fit {nodes}{request.gpus} x {found.gpu}")
    if not rows:
        return
    table = Table(box=None, pad_edge=False)
    table.add_column(CELLS[0], overflow="fold", vertical="bottom")
    for heading in CELLS[1:]:
        table.add_column(heading, justify="right", no_wrap=True, min_width=_NARROW, vertical="bottom")
    for row in rows[:_MOST]:
        table.add_row(*map(console.escaped, cells(row)))
    console.show_table(table)
    if len(rows) > _MOST:
        console.show(f"and {len(rows) - _MOST} more: --json has all")
    console.show(console.escaped(fastest_line(rows, _FASTEST)))
    console.show("[dim]~: tight, fits at the expected values only; at once: requests of the workload's length[/dim]")
