"""The planner is handed values: what is known of one class or family is a row of a table, never a word in its code."""

from __future__ import annotations

import ast
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
