"""`vllm-wizard host`: several models on one host, proven together and rendered as one repository."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from generator.cli import console

if TYPE_CHECKING:
    from generator.models.shared_host import HostPlan, Member
    from generator.operations.hosting.proof import Proven
    from generator.operations.hosting.render import Hosted

host = typer.Typer(
    help="Several models on one host: proven together, one repository, one gateway.", no_args_is_help=True
)
_FILE = "The host's profile: its GPUs and its models."
_HEADINGS = ("model", "GPUs", "share", "utilization", "holds", "context", "at once", "OOM risk")


@host.command()
def plan(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_FILE)],
    json_: Annotated[bool, typer.Option("--json", help="Print the proof as one JSON object.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Embedded models and the cache only.")] = False,
) -> None:
    """Prove that models fit one host together: each one's share, what all hold, and in which order they start.

    Example: vllm-wizard host plan examples/hosts/chat-and-embeddings.yaml --offline
    """
    from generator.operations.hosting.render import refuse_unfit  # noqa: PLC0415 - start-up time

    proven = _proven(file, offline=offline)
    if json_:
        console.out(proven.plan.model_dump_json(indent=2, by_alias=True))
    else:
        _show(proven.plan)
    refuse_unfit(proven)


@host.command()
def generate(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_FILE)],
    output_dir: Annotated[Path, typer.Option("--output-dir", "-o", help="A new directory for the repository.")],
    ci: Annotated[str, typer.Option("--ci", help="Jobs for github, gitlab or none.")] = "",
    template: Annotated[str, typer.Option("--template", help="A released version, or worktree.")] = "",
    git: Annotated[
        bool | None, typer.Option("--git/--no-git", help="Make a commit of it, or none.", show_default=False)
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Embedded models and the cache only.")] = False,
) -> None:
    """Generate one repository for the models of a host: the first at its top, the others in deployments/NAME.

    Example: vllm-wizard host generate examples/hosts/chat-and-embeddings.yaml --output-dir both --offline
    """
    from generator.operations.hosting.render import host_repository  # noqa: PLC0415 - start-up time

    proven = _proven(file, offline=offline)
    with console.waiting(f"rendering {output_dir}"):
        made = host_repository(proven, output_dir, ci=ci or None, template=template or None, commit=git)
    _show(proven.plan)
    _told(made)


def _proven(file: Path, *, offline: bool) -> Proven:
    from generator.cli.knowing import Known  # noqa: PLC0415 - start-up time
    from generator.operations.hosting.proof import host_plan  # noqa: PLC0415 - likewise
    from generator.sources.host_profile import load_host  # noqa: PLC0415 - likewise

    return host_plan(load_host(file), Known(offline=offline).of)


def _show(found: HostPlan) -> None:
    from rich.table import Table  # noqa: PLC0415 - start-up time

    from generator.presenting.text import gib_text, interval_text  # noqa: PLC0415 - likewise

    console.show(f"{len(found.members)} models on {len(found.gpus)} x {found.gpu}: OOM risk {found.oom_risk}")
    table = Table(box=None, pad_edge=False)
    for heading in _HEADINGS:
        table.add_column(heading, justify="left" if heading == "model" else "right", vertical="bottom")
    for one in found.members:
        table.add_row(*map(console.escaped, _row(one)))
    console.show_table(table)
    for gpu in found.gpus:
        names = " and ".join(gpu.members) or "nobody"
        held = f"{interval_text(gpu.held_bytes)} of {gib_text(gpu.total_bytes)}"
        verb = "hold" if len(gpu.members) > 1 else "holds"
        console.show(f"GPU {gpu.index}: {console.escaped(names)} {verb} {held}")
    order = ", then ".join(one.name for one in found.members)
    console.show(f"[dim]they start in this order, each once the one before it answers: {console.escaped(order)}[/dim]")


def _row(one: Member) -> tuple[str, ...]:
    from generator.presenting.text import gib_text, tokens_text  # noqa: PLC0415 - start-up time

    found, engine = one.plan.feasibility, one.plan.engine
    return (
        one.name,
        ",".join(map(str, one.gpu_ids)),
        f"{one.share:g}",
        f"{engine.get('gpu_memory_utilization', '-')}",
        gib_text(one.held_bytes.expected),
        tokens_text(int(engine.get("max_model_len") or one.plan.model.context_tokens)),
        str(found.max_concurrency_at_context),
        found.oom_risk if found.fits else "does not fit",
    )


def _told(made: Hosted) -> None:
    place = made.first.path
    said = f"commit {made.first.commit}" if made.first.commit else "not committed"
    console.show(
        f"[green]generated[/green] {console.escaped(str(place))} (template {made.first.template}, {said})", whole=True
    )
    for one in made.beside:
        console.show(f"  {console.escaped(str(one.path.relative_to(place)))}: {len(one.files)} files")
    console.out(f"\nNext:\n  cd {shlex.quote(str(place))} && make help")
