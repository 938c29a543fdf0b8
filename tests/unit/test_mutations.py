"""Faults for mutation testing: each changes what a source says, in one place, and is a source still."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2]))

from tests.adversity.mutations import faults, with_fault

SOURCE = """\
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

def first(numbers, limit=3):
    if not numbers or len(numbers) > limit:
        raise ValueError("none")
    numbers.sort()
    for one in numbers:
        if one == limit - 1 and one in numbers:
            return one
    return None
"""


@pytest.fixture
def found(tmp_path):
    """Every fault of the source above."""
    (tmp_path / "source.py").write_text(SOURCE)
    return list(faults(tmp_path, tmp_path / "source.py"))


def test_each_fault_says_something_else(found):
    """No two of them the same, none the source itself, and each a source that compiles."""
    texts = [ast.unparse(with_fault(SOURCE, one.number)) for one in found]
    assert len({*texts, ast.unparse(ast.parse(SOURCE))}) == len(texts) + 1
    for text in texts:
        compile(text, "source.py", "exec")


def test_the_usual_kinds_are_there_and_what_the_type_checker_reads_is_not(found):
    kinds = {"comparison", "operator", "condition", "constant", "not", "return", "left out"}
    assert {one.kind for one in found} == kinds
    assert not [one for one in found if "TYPE_CHECKING" in one.was]
    assert {one.was for one in found if one.kind == "left out"} == {'raise ValueError("none")', "numbers.sort()"}
    assert all(SOURCE.splitlines()[one.line - 1].strip() == one.was for one in found)
