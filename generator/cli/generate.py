"""`vllm-wizard generate`: a new deployment repository."""

from __future__ import annotations

import shlex
from pathlib import Path  # noqa: TC003 - typer reads the annotation
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from generator.cli import console, report
from generator.cli.options import Stated, with_request_options
from generator.cli.proposal import APPLY_HELP, CHEAPEST_HELP, FACTS_HELP, facts_from, proposal
from generator.errors import InfeasiblePlanError, RequestError
from generator.models.request import Artefact
from generator.presenting.shortfall import shortfall_line

if TYPE_CHECKING:
    from generator.models.plan import Plan
    from generator.operations.generate import Generated

_EMIT = {"k8s": "kubernetes"}
_GIT_HELP = "Make it a git repository with one commit; neither: unless it lies in one."
_SHOWN = 24


@with_request_options
def generate(
    *,
    stated: Stated,
    output_dir: Annotated[Path, typer.Option("--output-dir", "-o", help="The new directory.")],
    emit: Annotated[str, typer.Option("--emit", help=f"Of {','.join(get_args(Artefact))} (k8s: kubernetes).")] = "",
    service: Annotated[str, typer.Option("--service", help="Name of the deployment.")] = "",
    ci: Annotated[str, typer.Option("--ci", help="Jobs for github, gitlab or none.")] = "",
    template: Annotated[str, typer.Option("--template", help="A released version, or worktree.")] = "",
    git: Annotated[bool | None, typer.Option("--git/--no-git", help=_GIT_HELP, show_default=False)] = None,
    cheapest: Annotated[bool, typer.Option("--cheapest", help=CHEAPEST_HELP)] = False,
    apply: Annotated[int, typer.Option("--apply", min=0, help=APPLY_HELP, show_default=False)] = 0,
    facts: Annotated[Path | None, typer.Option("--facts", help=FACTS_HELP, show_default=False)] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Embedded models and the cache only.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
) -> None:
    """Generate a deployment repository: prove the plan, render it, commit it.

    Example: vllm-wizard generate --model Qwen/Qwen3-8B --gpu L4 --gpus 2 --output-dir qwen3-8b
    """
    for warning in stated.warnings:
        console.warn(warning)
    answers = dict(stated.answers)
    answers |= {"artefacts": artefacts_of(emit)} if emit else {}
    answers |= {name: value for name, value in (("service", service), ("ci", ci)) if value}
    asks = console.interactive() and not yes
    answers = _asked(answers, template or None) if asks and not cheapest else answers
    from generator.operations.generate import generate as render  # noqa: PLC0415 - start-up time
    from generator.operations.generate import settled  # noqa: PLC0415

    with facts_from(facts):
        proof = proposal(answers, cheapest=cheapest, apply=apply, offline=offline, settled=settled)
    _refuse_unfit(proof.plan)
    if asks:
        report.show_plan(proof.plan, explain=False)
        _confirm(output_dir)
    made = render(
        proof.request,
        output_dir,
        artefacts=answers.get("artefacts"),
        service=answers.get("service"),
        ci=answers.get("ci"),
        commit=git,
        template=template or None,
        proof=proof,
    )
    _show(made)
    if not asks:
        for row in report.answer_rows(proof.plan):
            console.show(row)


def _asked(answers: dict[str, Any], template: str | None) -> dict[str, Any]:
    from generator.cli import prompts  # noqa: PLC0415 - start-up time
    from generator.operations.templates import questions  # noqa: PLC0415

    return prompts.ask(questions(template), answers)


def artefacts_of(emit: str) -> list[str]:
    """The artefacts that `--emit` names.

    Raises:
        RequestError: one is unknown.
    """
    wanted = [_EMIT.get(word, word) for word in (part.strip() for part in emit.split(",")) if word]
    unknown = [word for word in wanted if word not in get_args(Artefact)]
    if unknown:
        raise RequestError(f"--emit {unknown[0]}: choose of {', '.join(get_args(Artefact))}, with commas between")
    return wanted


def _refuse_unfit(plan: Plan) -> None:
    if plan.feasibility.verdict == "does_not_fit":
        report.show_plan(plan, explain=False)
        raise InfeasiblePlanError(shortfall_line(plan), shortfall_bytes=plan.feasibility.shortfall_bytes)


def _confirm(output_dir: Path) -> None:
    from generator.cli import prompts  # noqa: PLC0415 - start-up time

    if not prompts.confirm(f"Generate {output_dir}?"):
        raise KeyboardInterrupt


def _show(made: Generated) -> None:
    from rich.markup import escape  # noqa: PLC0415 - start-up time

    place = escape(str(made.path))
    commit = "not committed" if made.within else f"commit {made.commit or 'none'}"
    which = f"(template {made.template}, {commit})"
    console.show(f"[green]generated[/green] {place} {which}", whole=True)
    for name in made.files[:_SHOWN]:
        console.show(f"  {escape(name)}")
    if len(made.files) > _SHOWN:
        console.show(f"  and {len(made.files) - _SHOWN} more")
    words = f"cd {shlex.quote(str(made.path))}"
    words += ' && git add . && git commit -m "Add a deployment"' if made.within else ""
    console.out(f"\nNext: {words} && make help, then read README.md")
