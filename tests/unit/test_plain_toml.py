"""The fast reader of tables reads what `tomllib` reads, or leaves it to `tomllib`."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import generator.catalogue
from generator.catalogue.plain_toml import plain

_FOLDER = Path(generator.catalogue.__file__).parent
TABLES = sorted(path.relative_to(_FOLDER).as_posix() for path in _FOLDER.rglob("*.toml"))
_SLOW = {"arguments.toml"}
"""Tables that no plan reads, written in more of TOML."""


def slow(text):
    """What TOML's own reader reads, types and order included; None where it is no TOML."""
    try:
        return repr(tomllib.loads(text))
    except tomllib.TOMLDecodeError:
        return None


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_read_as_tomllib_reads_it(name):
    text = (_FOLDER / name).read_text(encoding="utf-8")
    found = plain(text)
    assert (found is None) == (name in _SLOW)
    assert found is None or repr(found) == slow(text)


@pytest.mark.parametrize(
    "text",
    [
        "a = 1\na = 2", "a = { b = 1, b = 2 }", "a = [1]\n[[a]]\nb = 1", "[a]\n[[a]]", "[[a]]\n[a]", "[a]\n[a]",
        'x = """\n a = "1"\nb = 2\n"""', 'x = """\na = "1"\n"""', "a = 01", "a = NaN", "a = null", "a.b = 1\na.c = 2",
        "[a.b]\nc = 1", "# \x01", "a = 'x'\x85", "a = 1\x0b", "a = 1\r", "a = \u0661", 'a = "x', "= 1",
    ],
)  # fmt: skip
def test_what_is_not_plain_is_not_read(text):
    assert plain(text) is None


_VALUES = ["1", "-0", "1.5", "1e3", "true", '"x"', '"a\\"b\\\\"', "'y'", "'''z'''", "[]", '["a", 1]', "{ a = 1 }", "{}"]
_VALUES += [
    "{ a = 1, a = 2 }",
    '{ "b.c" = [1] }',
    "[\n  1,\n]",
    "1_0",
    "2026-01-02",
    '"\\t"',
    "1 # c",
    '"x" "y"',
]
_LINES = [f"{name} = {value}" for name in ("a", "b-c", '"d"', "e.f") for value in _VALUES]
_LINES += ["[[a]]", "[[r]]", "[r]", "[s]", "[s.t]", "", "  ", "# word", "]", "  a = 1"]


@given(st.lists(st.sampled_from(_LINES), max_size=8))
def test_no_text_is_read_otherwise_than_by_tomllib(lines):
    """Right or wrong, of a reader's own kind or not: the same, or nothing."""
    text = "\n".join(lines)
    found = plain(text)
    assert found is None or repr(found) == slow(text)
