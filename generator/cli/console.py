"""Where lines go: results to standard output, everything else to standard error."""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING

from generator.presenting.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console, RenderableType
    from rich.table import Table

    from generator.errors import GeneratorError

_NARROWEST = 80
_LONGEST = 2000


@cache
def stdout() -> Console:
    """The console of results."""
    from generator.cli.clean import CleanConsole  # noqa: PLC0415 - start-up time

    return CleanConsole(highlight=False, soft_wrap=False)


@cache
def stderr() -> Console:
    """The console of messages."""
    from generator.cli.clean import CleanConsole  # noqa: PLC0415 - start-up time

    return CleanConsole(stderr=True, highlight=False)


def out(text: str) -> None:
    """One result, as it is, but for what would move the terminal's cursor or turn its text round."""
    sys.stdout.write(f"{clean(text)}\n")


def show(item: RenderableType, *, whole: bool = False) -> None:
    """One result for people; `whole` breaks no line, so that a path can be copied."""
    stdout().print(item, soft_wrap=whole)


def show_table(table: Table) -> None:
    """One table for people, whose lines are longer than a narrow terminal's rather than cut: a cut figure misleads."""
    console = stdout()
    own, console.width = console.width, max(console.width, _NARROWEST)
    console.print(table)
    console.width = own


def note(text: str) -> None:
    """One message beside the result."""
    stderr().print(text, markup=False, soft_wrap=True)


def warn(text: str) -> None:
    """One warning."""
    stderr().print(f"[yellow]warning:[/yellow] {escaped(text)}", soft_wrap=True)


def error(text: str) -> None:
    """One error, on one line."""
    stderr().print(f"[bold red]error:[/bold red] {escaped(_short(' '.join(text.split())))}", soft_wrap=True)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ... ({len(text):,} letters)"


def raise_first(failed: list[GeneratorError]) -> None:
    """Return only where nothing failed; the errors beyond the first, which is raised, are printed.

    Raises:
        GeneratorError: the first of them.
    """
    for other in failed[1:]:
        error(str(other))
    if failed:
        raise failed[0]


def interactive() -> bool:
    """True where a person can answer a prompt."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def escaped(text: str) -> str:
    """The text as markup that shows it as it is."""
    from rich.markup import escape  # noqa: PLC0415 - start-up time

    return escape(text)


def progress() -> Callable[[int, int], None] | None:
    """A counter of headers read, drawn on a terminal; None where nobody watches."""
    if not sys.stderr.isatty():
        return None
    return _draw_progress


def _draw_progress(done: int, total: int) -> None:
    sys.stderr.write(f"\r\x1b[Kreading headers {done}/{total}" if done < total else "\r\x1b[K")
    sys.stderr.flush()
