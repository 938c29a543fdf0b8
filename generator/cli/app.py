"""The command line's frame: commands, one error boundary, exit statuses."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from generator import __version__
from generator.cli import console
from generator.cli.adopt import adopt
from generator.cli.check import check
from generator.cli.detect import detect
from generator.cli.engine import engine
from generator.cli.fit import fit
from generator.cli.generate import generate
from generator.cli.plan import plan
from generator.cli.template import template
from generator.cli.update import update
from generator.errors import INTERRUPTED, GeneratorError

_UNEXPECTED = 1
app = typer.Typer(
    name="vllm-wizard",
    help="Prove a vLLM configuration on paper, generate its deployment repository, update it in place.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)
for command in (detect, fit, plan, generate, update, check, adopt):
    app.command()(command)
app.add_typer(engine, name="engine")
app.add_typer(template, name="template")


def _show_version(value: bool) -> None:
    if value:
        console.out(f"vllm-wizard {__version__}")
        raise typer.Exit


@app.callback()
def frame(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Prove a vLLM configuration on paper, generate its deployment repository, update it in place."""


def main() -> None:
    """Run the command line and exit with the documented status; no traceback reaches a user."""
    sys.exit(run())


def run() -> int:
    """Exit status of one run of the command line: the one place where errors become lines."""
    try:
        return _said(app(standalone_mode=False) or 0)
    except GeneratorError as error:
        console.error(str(error))
        return error.status
    except typer.Abort:
        console.error("stopped; nothing was changed")
        return INTERRUPTED
    except KeyboardInterrupt:
        console.error("interrupted; nothing was changed")
        return INTERRUPTED
    except TyperException as error:
        said = error.format_message().replace("Value error, ", "").rstrip(".")
        console.error(f"{said} (see --help)")
        return getattr(error, "exit_code", 2)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - keeps the interpreter's last flush quiet
        return 0
    except Exception as error:
        if os.environ.get("VLLM_WIZARD_DEBUG"):
            raise
        name = type(error).__name__
        console.error(f"unexpected {name}: {error}; this is a bug: run again with VLLM_WIZARD_DEBUG=1 and report it")
        return _UNEXPECTED


def _said(status: int) -> int:
    """The status; an interrupt, which typer turns into a silent status, is told."""
    if status == INTERRUPTED:
        console.error("interrupted; nothing was changed")
    return status
