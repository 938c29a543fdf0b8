"""`vllm-wizard template`: the released templates of this machine, and those of a team."""

from pathlib import Path
from typing import Annotated

import typer

from generator.cli import console, update_report

template = typer.Typer(help="The released templates, and a team's own remote of them.", no_args_is_help=True)


@template.command("list")
def list_(
    directory: Annotated[Path, typer.Argument(help="A deployment repository, to mark the release it uses.")] = Path(),
) -> None:
    """List the released templates: version, day, notes; a star marks the one that this repository uses.

    Example: vllm-wizard template list
    """
    from generator.operations.templates import released  # noqa: PLC0415 - start-up time
    from generator.rendering.answers import ANSWERS_FILE, read  # noqa: PLC0415

    used = read(directory.absolute()).template if (directory / ANSWERS_FILE).is_file() else ""
    for one in released():
        console.out(f"{'*' if one.version == used else ' '} {one.version}  {one.date}  {one.notes}".rstrip())


@template.command()
def sync() -> None:
    """Put the releases of this version where bare Copier finds them, once a machine.

    Example: vllm-wizard template sync
    """
    from generator.operations.templates import sync as synced  # noqa: PLC0415 - start-up time

    console.out(synced())


@template.command("diff")
def diff_(
    first: Annotated[str, typer.Argument(help="A released version.")],
    second: Annotated[str, typer.Argument(help="Another one.")],
) -> None:
    """Show what changed between two released templates.

    Example: vllm-wizard template diff 1.0.0 1.1.0
    """
    from generator.operations.team import difference  # noqa: PLC0415 - start-up time

    console.out(difference(first, second).rstrip("\n"))


@template.command()
def publish(
    url: Annotated[str, typer.Argument(help="The team's git remote.")],
    atomic: Annotated[
        bool, typer.Option("--atomic/--no-atomic", help="All or nothing, which not every git server can do.")
    ] = True,
) -> None:
    """Push the released templates to a team's git remote.

    Example: vllm-wizard template publish ../templates.git
    """
    from generator.operations.team import publish as push  # noqa: PLC0415 - start-up time

    console.out(f"{url} has templates {', '.join(push(url, atomic=atomic))}")


@template.command()
def use(
    source: Annotated[str, typer.Argument(help="The team's git remote, or `embedded`.")],
    directory: Annotated[Path, typer.Argument(help="The deployment repository.")] = Path(),
) -> None:
    """Let a repository take its template from a team's remote, or from this package again; the pin stays.

    Example: vllm-wizard template use embedded
    """
    from generator.operations.team import use as move  # noqa: PLC0415 - start-up time

    update_report.show_recovered(directory)
    done = move(directory, source)
    console.out(f"template {done.template} comes from {done.after}\nbefore: {done.before}\nNext: git diff, then commit")


@template.command()
def release(
    version: Annotated[str, typer.Argument(help="The new version.")],
    when: Annotated[str, typer.Option("--when", help="Its day, like 2026-11-24.")],
    notes: Annotated[str, typer.Option("--notes", help="What it brings, in a sentence.")] = "",
    recut: Annotated[bool, typer.Option("--recut", help="Replace a newest release that nobody has yet.")] = False,
) -> None:
    """Release the template of this development checkout (maintainers).

    Example: vllm-wizard template release 1.3.0 --when 2026-12-01 --notes "..."
    """
    from generator.operations.templates import release as cut  # noqa: PLC0415 - start-up time

    done = cut(version, when=when, notes=notes, recut=recut)
    console.out(f"{done.version} {done.commit}")
