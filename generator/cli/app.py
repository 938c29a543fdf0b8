"""The command line's frame: commands, one error boundary, exit statuses."""

import io
import os
import sys
from errno import ENOSPC
from typing import Annotated, TextIO

import typer
from typer.exceptions import TyperException

from generator import __version__
from generator.cli import console
from generator.cli.commands import LazyGroup
from generator.errors import INTERRUPTED, GeneratorError, InfeasiblePlanError, RequestError, SourceError

_UNEXPECTED = 1
app = typer.Typer(
    name="vllm-wizard",
    cls=LazyGroup,
    help="Prove a vLLM configuration on paper, generate its deployment repository, update it in place.",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,  # half of what the list of commands would cost: rich's Markdown and tracebacks
    add_completion=True,
    pretty_exceptions_enable=False,
)


def _show_version(value: bool) -> None:
    if value:
        console.out(f"vllm-wizard {__version__}")
        raise typer.Exit


@app.callback()
def frame(
    ctx: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback does it
        bool, typer.Option("--version", "-V", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Prove a vLLM configuration on paper, generate its deployment repository, update it in place.

    Alone on a terminal it asks, shows what could be had, and generates what you choose.
    """
    if ctx.invoked_subcommand is not None:
        return
    if not console.interactive():
        console.out(ctx.get_help())
        raise typer.Exit(RequestError.status)
    from generator.cli.generate import begin  # noqa: PLC0415 - start-up time

    begin()


def main() -> None:
    """Run the command line and exit with the documented status; no traceback reaches a user."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looking for some reads what every package declares
    sys.stdout, sys.stderr = sys.stdout or _nowhere(), sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a bar that the terminal's encoding lacks is no failure
    sys.exit(run())


def run() -> int:
    """Exit status of one run of the command line: the one place where errors become lines."""
    try:
        return _said(app(standalone_mode=False) or 0)
    except GeneratorError as error:
        return _refused(error)
    except typer.Abort:
        console.error("stopped; nothing was changed")
        return INTERRUPTED
    except KeyboardInterrupt:
        console.error("interrupted; nothing was changed")
        return INTERRUPTED
    except TyperException as error:
        return _misread(error)
    except (BrokenPipeError, SystemExit) as left:
        return _unread(left)
    except Exception as error:
        if os.environ.get("VLLM_WIZARD_DEBUG"):
            raise
        return _failed(error)


def _refused(error: GeneratorError) -> int:
    """The status of an error that the user can meet; what would mend a plan is shown by number."""
    if isinstance(error, InfeasiblePlanError) and error.repairs:
        from generator.cli.report import show_repairs  # noqa: PLC0415 - start-up time

        show_repairs(error.repairs)
    console.error(str(error))
    return error.status


def _misread(error: TyperException) -> int:
    """The status of a command line that cannot be read; one without arguments has shown its help, and says no more."""
    said = error.format_message().replace("Value error, ", "").rstrip(".")
    if said:
        from generator.cli.misread import meant  # noqa: PLC0415 - start-up time

        command = getattr(getattr(error, "ctx", None), "command", None)
        options = {one for parameter in getattr(command, "params", ()) for one in parameter.opts if one[:2] == "--"}
        console.error(f"{meant(said, options)} (see --help)")
    return getattr(error, "exit_code", 2)


def _unread(left: BrokenPipeError | SystemExit) -> int:
    """Done, where the reader of a pipe has seen enough; rich turns that into an exit of its own."""
    if isinstance(left, SystemExit) and not isinstance(left.__context__, BrokenPipeError):
        raise left
    sys.stdout = _nowhere()
    return 0


def _failed(error: Exception) -> int:
    """The status of what no code expects; a full disk is no bug."""
    if isinstance(error, OSError) and error.errno == ENOSPC:
        sys.stdout = _nowhere()
        console.error(f"{error.strerror}{f': {error.filename}' if error.filename else ''}; free some and run again")
        return SourceError.status
    if isinstance(error, OSError | UnicodeError | MemoryError):  # of the machine, not of the program
        what = getattr(error, "filename", None)
        said = getattr(error, "strerror", None) or ("not enough memory" if isinstance(error, MemoryError) else error)
        console.error(f"{f'{what}: ' if what else ''}{said}")
        return SourceError.status
    name = type(error).__name__
    console.error(f"unexpected {name}: {error}; this is a bug: run again with VLLM_WIZARD_DEBUG=1 and report it")
    return _UNEXPECTED


def _nowhere() -> TextIO:
    """A stream that takes everything: for one that was closed, and for the interpreter's last flush of a broken one."""
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - open to the end


def _said(status: int) -> int:
    """The status; an interrupt, which typer turns into a silent status, is told."""
    if status == INTERRUPTED:
        console.error("interrupted; nothing was changed")
    return status
