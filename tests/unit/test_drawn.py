"""Lines drawn without rich are those that rich draws."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.markup import escape

from generator.cli import drawn
from generator.cli.clean import CleanConsole

_WORDS = [
    "a", "bb", "word", "[x]", "\\", "x\\", "[bold", "]", "\\[", ":smile:", "a" * 37, " ", "  ", "\n", "[a b]", "1,024",
]  # fmt: skip
_STYLES = ["bold", "dim", "bold red", "default", "bright_black", "green"]
_SAID = st.lists(st.sampled_from(_WORDS), max_size=6).map(" ".join)
_STYLED = st.tuples(st.sampled_from(_STYLES), _SAID, st.sampled_from(_STYLES), _SAID).map(
    lambda given: "[{0}]{1}[{2}]{3}[/][/{0}]".format(given[0], escape(given[1]), given[2], escape(given[3]))
)
MARKED = st.lists(st.one_of(_STYLED, _SAID.map(escape)), max_size=5).map("".join)


class Terminal(io.StringIO):
    """A stream that says whether it is a terminal."""

    def __init__(self, *, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        """Whether it is one."""
        return self.terminal


@pytest.fixture(scope="module")
def surroundings():
    """An environment of nothing but what a test sets."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "NO_COLOR", "COLORTERM"):
            patch.delenv(name, raising=False)
        patch.setenv("TERM", "xterm-256color")
        patch.setenv("LINES", "25")
        yield patch


@given(MARKED, st.integers(3, 60), st.booleans(), st.booleans())
def test_a_line_is_drawn_as_rich_draws_it(surroundings, text, columns, whole, colours):
    """Broken at the same places and in the same colours, or left to rich."""
    surroundings.setenv("COLUMNS", str(columns))
    surroundings.setenv("NO_COLOR", "" if colours else "1")
    for terminal in (True, False):
        stream = Terminal(terminal=terminal)
        CleanConsole(file=stream, highlight=False, emoji=False).print(text, soft_wrap=whole)
        assert drawn.drawn(text, stream, whole=whole) == stream.getvalue()


@given(st.text(alphabet="ab\\[]/ #@"))
def test_text_is_escaped_as_rich_escapes_it(text):
    assert drawn.escaped(text) == escape(text)


@pytest.mark.parametrize("text", ["caf\u00e9", "a\tb", "[underline]x[/underline]", "[/bold]", "[bold]x[/dim]", "[/]"])
def test_what_rich_alone_can_draw_is_left_to_it(surroundings, text):
    assert drawn.drawn(text, Terminal(terminal=True)) is None


def test_a_dumb_terminal_has_no_colours_and_eighty_columns(surroundings):
    stream = Terminal(terminal=True)
    surroundings.setenv("TERM", "dumb")
    surroundings.delenv("COLUMNS", raising=False)
    assert drawn.drawn("[bold red]" + "word " * 20 + "[/bold red]", stream) == "word " * 16 + "\n" + "word " * 4 + "\n"
    surroundings.setenv("TERM", "xterm-256color")


def test_an_environment_that_speaks_of_streams_is_rich_s_to_read(surroundings):
    surroundings.setenv("FORCE_COLOR", "1")
    assert drawn.drawn("[bold]x[/bold]", Terminal(terminal=False)) is None
    surroundings.delenv("FORCE_COLOR")
