"""A public class has a name of its own, and a public function that raises says so."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

import generator

PACKAGE = Path(generator.__file__).parent
MODULES = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")}
HELP = "cli/"
"""A command's docstring is its help page, which says statuses and no exceptions."""
SAID = re.compile(r"Raises:|raises RequestError")


def classes(modules):
    """Modules that define a public class at their top, by its name."""
    found = defaultdict(list)
    for name, tree in modules.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(name)
    return found


def silent(tree):
    """Public functions and methods that raise by themselves, where neither they nor their module say so."""
    if SAID.search(ast.get_docstring(tree) or ""):
        return []
    held = [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_"))]
    functions = [node for one in held for node in one.body if isinstance(node, ast.FunctionDef)]
    return [
        one.name
        for one in functions
        if not one.name.startswith("_") and _raises(one) and not SAID.search(ast.get_docstring(one) or "")
    ]


def _raises(node):
    """Whether a function raises in its own body; an abstract one does in name only."""
    for one in ast.iter_child_nodes(node):
        if isinstance(one, ast.Raise) and one.exc and ast.unparse(one.exc) != "NotImplementedError":
            return True
        if not isinstance(one, ast.FunctionDef | ast.ClassDef | ast.Lambda) and _raises(one):
            return True
    return False


def test_a_public_class_has_a_name_of_its_own():
    assert {name: places for name, places in classes(MODULES).items() if len(places) > 1} == {}


@pytest.mark.parametrize("name", sorted(name for name in MODULES if not name.startswith(HELP)))
def test_a_public_function_that_raises_says_so(name):
    """Under `Raises:`; a module of rules of one kind says it once for all of them."""
    assert silent(MODULES[name]) == []


def test_a_planted_fault_is_found():
    twice = {name: ast.parse("class Same:\n    pass") for name in ("one.py", "other.py")}
    assert classes(twice) == {"Same": ["one.py", "other.py"]}
    assert silent(ast.parse("def given(x):\n    if x:\n        raise ValueError(x)")) == ["given"]
