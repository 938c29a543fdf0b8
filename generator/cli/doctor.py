"""`vllm-wizard doctor`: whether this host, or this cluster, can run the plan of a deployment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from generator.cli import console
from generator.errors import FindingsError

if TYPE_CHECKING:
    from generator.operations.doctor.examine import Examined, Observation

_HERE = "This machine is the one that serves: GPUs and containers that it does not show are blockers."
_COLOURS = {"ok": "green", "warning": "yellow", "blocker": "red", "not seen": "cyan"}


def doctor(
    *,
    directory: Annotated[Path, typer.Argument(help="The deployment repository.")] = Path(),
    here: Annotated[bool, typer.Option("--here", help=_HERE)] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print what was found as one JSON object.")] = False,
) -> None:
    """Say whether this host, or this cluster, can run the plan of a deployment, and what mends it where it cannot.

    Nothing is fetched and nothing is changed. What cannot be seen is said as such; status 8 where something would
    stop a start.

    Example: vllm-wizard doctor --json
    """
    from generator.operations.doctor.examine import doctor as examine  # noqa: PLC0415 - start-up time

    with console.waiting("looking at this machine"):
        found = examine(directory, serves_here=here)
    if json_:
        console.out(found.model_dump_json(indent=2))
    else:
        _show(found)
    if found.blockers:
        first = found.blockers[0]
        rest = len(found.blockers) - 1
        more = f" (and {rest} more)" if rest else ""
        raise FindingsError(f"{first.check}: {first.message}: {first.fix}{more}")


def _show(found: Examined) -> None:
    """Every finding, those that nobody can see or mend from here on one line at the end."""
    console.show(f"[bold]{console.escaped(str(found.path))}[/bold]: {console.escaped(f'{found.image}, {found.gpus}')}")
    hidden = [one for one in found.findings if one.state == "not seen" and not one.fix]
    shown = [one for one in found.findings if one not in hidden]
    width = max(len(one.check) for one in found.findings)
    for one in shown:
        _show_one(one, width)
    if hidden:
        console.note(f"  not seen: {', '.join(one.check for one in hidden)}")
    counts = [(state, sum(one.state == state for one in found.findings)) for state in _COLOURS]
    console.show(", ".join(f"[{_COLOURS[state]}]{count} {state}[/]" for state, count in counts if count))


def _show_one(one: Observation, width: int) -> None:
    shown = f"  [{_COLOURS[one.state]}]{one.state:<8}[/] {one.check:<{width}}  {console.escaped(one.message)}"
    console.show(shown, whole=True)
    if one.fix:
        console.show(f"  {'':8} {'':{width}}  [dim]{console.escaped(one.fix)}[/dim]", whole=True)
