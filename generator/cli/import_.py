"""`vllm-wizard import`: a deployment that exists becomes a planned one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from generator.cli import console, report
from generator.cli.options import Stated, with_request_options
from generator.cli.proposal import proposal
from generator.models.request import Artefact
from generator.presenting.verdict import infeasible

if TYPE_CHECKING:
    from generator.models.running import ImportedDeployment
    from generator.operations.generate import Generated

_SIGNS = {"taken": "taken   ", "changed": "changed ", "overlay": "kept    ", "left out": "left out"}


@with_request_options
def import_(
    *,
    stated: Stated,
    file: Annotated[Path, typer.Argument(help="Script, serve.yaml, Compose file, manifest, values; or a directory.")],
    output_dir: Annotated[
        Path | None, typer.Option("--output-dir", "-o", help="Where to generate it; without: say what it means.")
    ] = None,
    emit: Annotated[str, typer.Option("--emit", help=f"Of {','.join(get_args(Artefact))}; empty: as the file.")] = "",
    service: Annotated[str, typer.Option("--service", help="Name of the deployment.")] = "",
    ci: Annotated[str, typer.Option("--ci", help="Jobs for github, gitlab or none.")] = "",
    template: Annotated[str, typer.Option("--template", help="A released version, or worktree.")] = "",
    offline: Annotated[bool, typer.Option("--offline", help="Embedded models and the cache only.")] = False,
) -> None:
    """Read a deployment that exists, say what each part of it becomes, and generate it.

    Options win over the file. A directory with files keeps every one of them.
    Example: vllm-wizard import docker-compose.yml --gpu L4 --output-dir qwen3-8b
    """
    from generator.cli.generate import artefacts_of  # noqa: PLC0415 - start-up time
    from generator.operations.generate import settled  # noqa: PLC0415
    from generator.operations.importing import imported  # noqa: PLC0415
    from generator.sources.running.reader import read_running  # noqa: PLC0415

    found = imported(read_running(file), str(stated.answers.get("model", "")))
    _say(found)
    answers = _answers(found, stated)
    answers |= {name: value for name, value in (("service", service), ("ci", ci)) if value}
    answers |= {"artefacts": artefacts_of(emit)} if emit else {}
    proof = proposal(answers, cheapest=False, apply=0, offline=offline, settled=settled)
    if proof.plan.feasibility.verdict == "does_not_fit":
        report.show_plan(proof.plan, explain=False)
        raise infeasible(proof.plan)
    if output_dir is None:
        report.show_plan(proof.plan, explain=False)
        console.out("\nNext: the same with --output-dir NAME generates it")
        return
    from generator.operations.import_into import import_into  # noqa: PLC0415

    made, kept = import_into(found, proof, output_dir, answers, template or None)
    _show(made, kept)


def _answers(found: ImportedDeployment, stated: Stated) -> dict[str, Any]:
    """What the file says, with the options' own values in front."""
    overrides = found.answers["overrides"] | stated.answers.get("overrides", {})
    dropped = {name: value for name, value in overrides.items() if name not in stated.dropped}
    return found.answers | stated.answers | {"overrides": dropped}


def _say(found: ImportedDeployment) -> None:
    for note in found.notes:
        console.out(f"{_SIGNS[note.kind]}  {note.what}{f': {note.why}' if note.why else ''}")


def _show(made: Generated, kept: tuple[str, ...]) -> None:
    console.out(f"\ngenerated {made.path} ({len(made.files)} files, template {made.template})")
    for name in kept:
        console.warn(f"{name} was there and stays as it is: compare it with `vllm-wizard update --dry-run`")
    console.out(f"Next: cd {made.path} && git status, then read README.md")
