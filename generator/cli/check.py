"""`vllm-wizard check`: what a deployment is pinned to, what is newer, what drifted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from generator.cli import console
from generator.errors import FindingsError, GeneratorError

if TYPE_CHECKING:
    from generator.operations.check import CheckReport

_PREFLIGHT = "Only read what `make preflight` wrote there: vLLM's own answer, and what mends a refusal."
_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


def check(
    *,
    directory: Annotated[Path, typer.Argument(help="The deployment repository.")] = Path(),
    every: Annotated[bool, typer.Option("--all", help="Every deployment at or below the directory.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the reports as one JSON object or array.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Ask neither the Hub nor a template remote.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Do not render to find edited managed files.")] = False,
    preflight: Annotated[Path | None, typer.Option("--preflight", help=_PREFLIGHT, show_default=False)] = None,
) -> None:
    """Say what a deployment is pinned to, what is newer, and what drifted; status 8 on errors and warnings.

    Managed files are compared with what the template renders. That takes a second once for every set of answers;
    with --quick they are compared only where it is known already.

    Example: vllm-wizard check --offline
    """
    from generator.operations.check import check as look  # noqa: PLC0415 - start-up time
    from generator.operations.check import deployments  # noqa: PLC0415

    if preflight is not None:
        from generator.cli.preflight import show_preflight  # noqa: PLC0415 - start-up time

        show_preflight(directory, preflight, json_=json_)
        return
    places = deployments(directory) if every else (directory,)
    reports, failed = _collected(lambda place: look(place, offline=offline, quick=quick), places)
    if json_:
        _print_json(reports, every=every)
    else:
        for report in reports:
            _show(report)
    wrong = [report for report in reports if not report.clean]
    console.raise_first(failed)
    if wrong:
        found = sum(one.severity != "note" for report in wrong for one in report.findings)
        raise FindingsError(f"{found} to correct in {', '.join(str(report.path) for report in wrong)}")


def _collected(
    one: Callable[[Path], CheckReport], places: tuple[Path, ...]
) -> tuple[list[CheckReport], list[GeneratorError]]:
    """The report of every place, and the errors of those that cannot be read, which stop nobody else."""
    reports: list[CheckReport] = []
    failed: list[GeneratorError] = []
    for place in places:
        try:
            reports.append(one(place))
        except GeneratorError as error:
            failed.append(error)
    return reports, failed


def _print_json(reports: list[CheckReport], *, every: bool) -> None:
    import json  # noqa: PLC0415 - start-up time

    shown = [report.model_dump(mode="json") | {"clean": report.clean} for report in reports]
    if every or shown:
        console.out(json.dumps(shown if every else shown[0], indent=2))


def _show(report: CheckReport) -> None:
    console.show(f"[bold]{console.escaped(str(report.path))}[/bold]")
    for title, pinned, newest in (
        ("template", report.template, report.template_newest),
        ("vLLM", report.vllm, report.vllm_newest),
        ("model", f"{report.model} {report.revision or ''}".strip(), report.revision_newest or report.revision),
    ):
        current = newest is None or pinned.endswith(newest)
        beside = "" if current else f"  [dim]newest {console.escaped(newest or '')}[/dim]"
        console.show(f"  {title:<9} {console.escaped(pinned)}{beside}")
    for one in report.findings:
        console.show(f"  [{_COLOURS[one.severity]}]{one.severity:<8}[/] {console.escaped(one.message)}")
    if not report.findings:
        console.show("  [green]nothing to do[/green]")
    if not report.files_compared:
        console.show("  [dim]managed files were not compared with the template[/dim]")
