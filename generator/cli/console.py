"""Where lines go: results to standard output, everything else to standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from generator.cli import drawn
from generator.presenting.text import clean

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from generator.errors import GeneratorError

_NARROWEST = 80
_LONGEST = 2000


@cache
def stdout() -> Console:
    """The console of results."""
    from generator.cli.clean import CleanConsole  # noqa: PLC0415 - start-up time

    return CleanConsole(highlight=False, soft_wrap=False, emoji=False)


@cache
def stderr() -> Console:
    """The console of messages."""
    from generator.cli.clean import CleanConsole  # noqa: PLC0415 - start-up time

    return CleanConsole(stderr=True, highlight=False, emoji=False)


def out(text: str) -> None:
    """One result, as it is, but for what would move the terminal's cursor or turn its text round."""
    _result(f"{clean(text)}\n")


def show(item: RenderableType, *, whole: bool = False) -> None:
    """One result for people; `whole` breaks no line, so that a path can be copied."""
    text = drawn.drawn(clean(item), sys.stdout, whole=whole) if isinstance(item, str) else None
    if text is None:
        stdout().print(item, soft_wrap=whole)
    else:
        _result(text)


def _result(text: str) -> None:
    """One text to standard output, which no message may overtake where both go to one place."""
    sys.stdout.write(text)
    sys.stdout.flush()


def show_table(table: Table) -> None:
    """One table for people, whose lines are longer than a narrow terminal's rather than cut: a cut figure misleads."""
    console = stdout()
    own, console.width = console.width, max(console.width, _NARROWEST)
    console.print(table)
    console.width = own


def note(text: str) -> None:
    """One message beside the result."""
    sys.stderr.write(f"{clean(_at_words(text))}\n")


def tell(text: str, style: str = "default") -> None:
    """One remark to the person who is asked, broken between words."""
    import textwrap  # noqa: PLC0415 - start-up time

    columns = drawn.width(sys.stderr) - 2
    for line in textwrap.wrap(" ".join(text.split()), columns, break_long_words=False, break_on_hyphens=False):
        _message(f"  [{style}]{escaped(line)}[/{style}]")


def warn(text: str) -> None:
    """One warning."""
    _message(f"[yellow]warning:[/yellow] {escaped(_at_words(text, 'warning: '))}")


def error(text: str) -> None:
    """One error: on one line, which a terminal shows broken between words."""
    said = _at_words(_short(" ".join(text.split())), "error: ")
    _message(f"[bold red]error:[/bold red] {escaped(said)}")


def _message(text: str) -> None:
    """One marked-up line to standard error."""
    shown = drawn.drawn(clean(text), sys.stderr, whole=True)
    if shown is None:
        stderr().print(text, soft_wrap=True)
    else:
        sys.stderr.write(shown)


def _at_words(text: str, before: str = "") -> str:
    """The text as a terminal is to show it behind `before`; as it is, one line, where a program reads it."""
    if not sys.stderr.isatty():
        return text
    import textwrap  # noqa: PLC0415 - start-up time

    filled = textwrap.fill(
        before + text, drawn.width(sys.stderr), replace_whitespace=False, break_long_words=False, break_on_hyphens=False
    )
    return filled.removeprefix(before)


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
    return drawn.escaped(text)


def width() -> int:
    """Columns that results may take."""
    return drawn.width(sys.stdout)


def progress() -> Callable[[int, int], None] | None:
    """A counter of headers read, drawn on a terminal; None where nobody watches."""
    if not sys.stderr.isatty():
        return None
    return _draw_progress


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """While this lasts, a terminal shows what is waited for; nothing is drawn where nobody watches, or of no text."""
    if not text or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield
        return
    sys.stderr.write(f"\r\x1b[K{clean(text)} ...")
    sys.stderr.flush()
    try:
        yield
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def _draw_progress(done: int, total: int) -> None:
    sys.stderr.write(f"\r\x1b[Kreading headers {done}/{total}" if done < total else "\r\x1b[K")
    sys.stderr.flush()
