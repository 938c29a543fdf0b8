"""The planner is handed values: what is known of one class or family is a row of a table, never a word in its code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from generator.catalogue.classes import classes_of
from generator.catalogue.engines import DEFAULT_VERSION
from generator.sources.architectures.table import FAMILIES

PLANNING = Path(__file__).parents[2] / "generator" / "planning"
FILES = sorted(PLANNING.rglob("*.py"))
OTHER_MEANING = {("weights/tensors.py", "whisper")}
"""A word of planning that is a family's too: a checkpoint's name for the tensors of an audio encoder."""


def constants(file: Path) -> list[ast.Constant]:
    """Constants of a module, docstrings apart."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    spoken = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
    return [one for one in ast.walk(tree) if isinstance(one, ast.Constant) and id(one) not in spoken]


def words(file: Path) -> list[tuple[int, str]]:
    """Line and text of each string."""
    own = file.relative_to(PLANNING).as_posix()
    found = [(one.lineno, one.value) for one in constants(file) if isinstance(one.value, str)]
    return [(line, word) for line, word in found if (own, word) not in OTHER_MEANING]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(PLANNING).as_posix())
def test_no_class_and_no_family_is_named(file: Path) -> None:
    """A class belongs into `classes.toml` or `class_notes.toml`, a family into the table of families."""
    known = {*classes_of(DEFAULT_VERSION).rows, *FAMILIES}
    assert [(line, word) for line, word in words(file) if word in known] == []


RELEASE = re.compile(r"\bv?0\.\d+(\.\d+)?\b")
OTHER_PAIRS = {"(0, 64)"}
"""Widths of a latent's rotary part."""
CAPABILITIES = {70, 72, 75, 80, 86, 87, 89, 90, 100, 101, 103, 110, 120, 121}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(PLANNING).as_posix())
def test_no_release_is_named(file: Path) -> None:
    """What a release does is a row of `behaviours.toml`; neither a string nor a tuple of numbers says one here."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    strings = [one.value for one in constants(file) if isinstance(one.value, str) and RELEASE.search(one.value)]
    pairs = [
        ast.unparse(one)
        for one in ast.walk(tree)
        if isinstance(one, ast.Tuple)
        and len(one.elts) > 1
        and all(isinstance(part, ast.Constant) and type(part.value) is int for part in one.elts)
        and one.elts[0].value == 0
        and one.elts[1].value > 1
    ]
    assert strings == []
    assert [pair for pair in pairs if pair not in OTHER_PAIRS] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(PLANNING).as_posix())
def test_no_capability_is_a_bare_number(file: Path) -> None:
    """A generation has its name in `models/capability.py`: nothing compares a capability with a number."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = []
    for one in ast.walk(tree):
        divides = isinstance(one, ast.BinOp) and isinstance(one.op, ast.FloorDiv | ast.Mod | ast.Div)
        if not divides and not isinstance(one, ast.Compare):
            continue
        numbers = [part.value for part in ast.walk(one) if isinstance(part, ast.Constant)]
        asked = "capability" in ast.unparse(one)
        found += [ast.unparse(one)] if asked and any(type(number) is int for number in numbers) else []
    assert found == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(PLANNING).as_posix())
def test_no_table_holds_capabilities(file: Path) -> None:
    """Nor does a set, a range or a mapping of them."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    kinds = (ast.Set, ast.Tuple, ast.List, ast.Dict)
    found = []
    for one in ast.walk(tree):
        if isinstance(one, kinds):
            parts = [*one.keys, *one.values] if isinstance(one, ast.Dict) else one.elts
            numbers = [part.value for part in parts if isinstance(part, ast.Constant) and type(part.value) is int]
            found += [ast.unparse(one)] if len(numbers) > 1 and set(numbers) <= CAPABILITIES else []
    assert found == []
