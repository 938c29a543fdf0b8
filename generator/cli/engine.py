"""`vllm-wizard engine`: the vLLM releases that plans can be made for."""

from pathlib import Path
from typing import Annotated

import typer

from generator.cli import console

engine = typer.Typer(help="The vLLM releases that plans can be made for.", no_args_is_help=True)


@engine.command("list")
def list_() -> None:
    """List the releases of the tables, and those imported on this machine.

    Example: vllm-wizard engine list
    """
    from generator.catalogue.engines import DEFAULT_VERSION, all_versions, known_versions  # noqa: PLC0415 - start-up time

    packaged = known_versions()
    for version in all_versions():
        words = ["" if version in packaged else "imported", "default" if version == DEFAULT_VERSION else ""]
        console.out(" ".join([version, *filter(None, words)]))


@engine.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="What scripts/dump-engine.py of a deployment printed.")],
) -> None:
    """Add a release that this version does not know, from a dump of its own parser.

    Example: vllm-wizard engine import 0.34.0.json
    """
    from generator.operations.engine_import import import_engine  # noqa: PLC0415 - start-up time

    done = import_engine(file)
    console.out(f"vLLM {done.version}: {done.flags} arguments, in {done.path}")
    for word, names in (("added", done.added), ("removed", done.removed)):
        if names:
            console.out(f"{word} since {done.beside}: {', '.join(names)}")
