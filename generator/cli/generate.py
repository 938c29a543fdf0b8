"""`vllm-wizard generate`: a new deployment repository."""

from __future__ import annotations

import shlex
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from generator.cli import console, report
from generator.cli.options import MODEL_HELP, Stated, named_too, with_request_options
from generator.cli.proposal import APPLY_HELP, CHEAPEST_HELP, FACTS_HELP, facts_from, proposal
from generator.errors import RequestError
from generator.models.request import Artefact
from generator.presenting.verdict import infeasible

if TYPE_CHECKING:
    from generator.models.plan import Plan
    from generator.operations.generate import Generated
    from generator.workflow import Proof

_EMIT = {
    "k8s": "kubernetes", "helm": "kubernetes", "chart": "kubernetes", "docker": "compose", "docker-compose": "compose",
    "shell": "command", "scripts": "command", "prometheus": "monitoring", "grafana": "monitoring", "argocd": "gitops",
    "flux": "gitops",
}  # fmt: skip
"""What people call an artefact, and its name here."""
_EMIT_HELP = f"Of {','.join(get_args(Artefact))} (helm: kubernetes, docker: compose)."
_GIT_HELP = "Make it a git repository with one commit; neither: unless it lies in one."
_SHORT = 12
"""Digits of a commit that are shown."""
_WHERE = "The new directory; with --yes, if none is named, the service's name."


@with_request_options
def generate(
    *,
    stated: Stated,
    id_: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP, show_default=False)] = "",
    output_dir: Annotated[Path | None, typer.Option("--output-dir", "-o", help=_WHERE, show_default=False)] = None,
    emit: Annotated[str, typer.Option("--emit", help=_EMIT_HELP)] = "",
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

    Example: vllm-wizard generate Qwen/Qwen3-8B --gpu 2xL4 --output-dir qwen3-8b --yes
    """
    for warning in stated.warnings:
        console.warn(warning)
    answers = named_too(stated, id_)
    answers |= {"artefacts": artefacts_of(emit)} if emit else {}
    answers |= {name: value for name, value in (("service", service), ("ci", ci)) if value}
    with facts_from(facts):
        if console.interactive() and not (yes or cheapest or apply):
            _by_talking(answers, output_dir, template, git=git, offline=offline)
        else:
            _by_flags(answers, output_dir, template, git=git, offline=offline, cheapest=cheapest, apply=apply, yes=yes)


def begin() -> None:
    """Begin the wizard with nothing stated: a bare `vllm-wizard` on a terminal."""
    _by_talking({}, None, "", git=None, offline=False)


def _by_talking(
    answers: dict[str, Any], output_dir: Path | None, template: str, *, git: bool | None, offline: bool
) -> None:
    """Ask for what is open, show what could be had, and render what is agreed to."""
    from generator.cli.knowing import Known  # noqa: PLC0415 - start-up time
    from generator.cli.wizard.conversation import converse  # noqa: PLC0415
    from generator.cli.wizard.finish import command  # noqa: PLC0415
    from generator.operations.generate import vacant  # noqa: PLC0415

    if output_dir is not None:
        vacant(output_dir)
        answers["output_dir"] = str(output_dir)
    agreed = converse(answers, Known(offline=offline), template=template or None)
    directory = Path(agreed.answers["output_dir"])
    made = _rendered(agreed.proof, agreed.answers, directory, template, git=git)
    _show(made)
    flags = (("--template", template, template), ("--git" if git else "--no-git", "", git is not None))
    more = (word for flag, value, given in flags if given for word in (flag, value) if word)
    words = command(agreed.proof.request, agreed.answers, directory, more=(*more, *(("--offline",) * offline)))
    console.show("\n[bold]The same without questions[/bold]")
    console.out(words)


def _by_flags(
    answers: dict[str, Any],
    output_dir: Path | None,
    template: str,
    *,
    git: bool | None,
    offline: bool,
    cheapest: bool,
    apply: int,
    yes: bool,
) -> None:
    """Render what flags and profile say, and nothing is asked."""
    from generator.operations.generate import settled  # noqa: PLC0415 - start-up time
    from generator.operations.templates import service_of  # noqa: PLC0415

    if output_dir is None and not yes:
        raise RequestError("no directory named: --output-dir DIR, or --yes for one of the service's name")
    proof = proposal(answers, cheapest=cheapest, apply=apply, offline=offline, settled=settled)
    _refuse_unfit(proof.plan)
    place = output_dir or Path(answers.get("service") or service_of(proof.request.model, template or None))
    _show(_rendered(proof, answers, place, template, git=git))


def _rendered(proof: Proof, answers: dict[str, Any], place: Path, template: str, *, git: bool | None) -> Generated:
    from generator.operations.generate import generate as render  # noqa: PLC0415 - start-up time

    with console.waiting(f"rendering {place}"):
        return render(
            proof.request,
            place,
            artefacts=answers.get("artefacts"),
            service=answers.get("service"),
            ci=answers.get("ci"),
            trace=answers.get("trace"),
            commit=git,
            template=template or None,
            proof=proof,
        )


def artefacts_of(emit: str) -> list[str]:
    """The artefacts that `--emit` names.

    Raises:
        RequestError: one is unknown.
    """
    wanted = [_EMIT.get(word, word) for word in (part.strip().lower() for part in emit.split(",")) if word]
    unknown = [word for word in wanted if word not in get_args(Artefact)]
    if unknown:
        near = get_close_matches(unknown[0], (*get_args(Artefact), *_EMIT), n=1)
        first = f"nearest: {near[0]}; " if near else ""
        raise RequestError(
            f"--emit {unknown[0]}: {first}choose of {', '.join(get_args(Artefact))}, with commas between"
        )
    return list(dict.fromkeys(wanted))


def _refuse_unfit(plan: Plan) -> None:
    if plan.feasibility.verdict == "does_not_fit":
        report.show_plan(plan, explain=False)
        raise infeasible(plan)


def _show(made: Generated) -> None:
    """Print what was made: verdict, place, files, the next step; it fits a terminal of 24 lines."""
    place = console.escaped(str(made.path))
    commit = "not committed" if made.within else f"commit {(made.commit or 'none')[:_SHORT]}"
    which = f"(template {made.template}, {commit})"
    console.show(f"[green]generated[/green] {place} {which}", whole=True)
    for row in (report.headline_rows(made.plan)[1], *report.answer_rows(made.plan)):
        console.show(row)
    console.show(f"[bold]{len(made.files)} files[/bold]  {console.escaped('  '.join(_entries(made.files)))}")
    words = f"cd {shlex.quote(str(made.path))}"
    words += ' && git add . && git commit -m "Add a deployment"' if made.within else ""
    console.out(f"\nNext:\n  {words} && make help\nREADME.md there has the rest: the first call, metrics, updates.")


def _entries(files: tuple[str, ...]) -> tuple[str, ...]:
    """Names at the top of a tree, a directory with the number of its files."""
    below: dict[str, int] = {}
    for name in files:
        top, slash, _ = name.partition("/")
        below[top + slash] = below.get(top + slash, 0) + 1
    return tuple(f"{name} ({count})" if name.endswith("/") else name for name, count in below.items())
