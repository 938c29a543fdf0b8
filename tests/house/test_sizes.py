"""Files and functions stay short: what grows is parted by its meaning."""

from __future__ import annotations

import ast
from pathlib import Path

import generator

PACKAGE = Path(generator.__file__).parent
TEXTS = {path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
MOST_LINES, USUAL_FUNCTION = 300, 20


def lengths(text):
    """Lines of each function of a module."""
    functions = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef))
    return [one.end_lineno - one.lineno + 1 for one in functions]


def test_no_file_has_more_than_300_lines():
    counted = {name: len(text.splitlines()) for name, text in TEXTS.items()}
    assert {name: count for name, count in counted.items() if count > MOST_LINES} == {}


def test_nine_of_ten_functions_have_fewer_than_20_lines():
    every = sorted(length for text in TEXTS.values() for length in lengths(text))
    assert len(every) > 3000
    assert every[len(every) * 9 // 10] < USUAL_FUNCTION
