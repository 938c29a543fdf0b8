"""Modules stand in one order: no circle of imports, those for types and those inside functions included."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

import generator

PACKAGE = Path(generator.__file__).parent
ROOT = Path(__file__).parents[2]


def graph(package):
    """What each module imports, by name; a package stands for its own `__init__`."""
    names = {_name(path, package): path for path in package.rglob("*.py")}
    return {name: set(_imported(path, names)) - {name} for name, path in names.items()}


def _name(path, package):
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(path, names):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names if one.name in names)
        elif isinstance(node, ast.ImportFrom) and node.module in names:
            parts = [f"{node.module}.{one.name}" for one in node.names]
            yield from (part if part in names else node.module for part in parts)


def circles(imports):
    """Modules that import each other, by way of others or not, as frozen sets."""
    reached = {name: _reached(name, imports) for name in imports}
    alike = {name: frozenset(other for other in reached[name] if name in reached[other]) for name in imports}
    return {group for group in alike.values() if group}


def _reached(name, imports):
    found, left = set(), [name]
    while left:
        for other in imports[left.pop()] - found:
            found.add(other)
            left.append(other)
    return found


def test_no_module_imports_itself_by_way_of_others():
    assert [sorted(group) for group in circles(graph(PACKAGE))] == []


def test_a_circle_is_seen_through_types_and_functions(tmp_path):
    package = tmp_path / "circular"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "one.py").write_text("if TYPE_CHECKING:\n    from circular import two\n", encoding="utf-8")
    (package / "two.py").write_text("def late():\n    from circular.one import name\n", encoding="utf-8")
    assert circles(graph(package)) == {frozenset({"circular.one", "circular.two"})}


def layers():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = project["tool"]["importlinter"]["contracts"][0]["layers"]
    return [layer.replace("generator.", "") for layer in contract if layer != "generator.__main__"]


@pytest.mark.parametrize("page", ["README.md", ".github/CONTRIBUTING.md", "docs/explanation/design.md"])
def test_every_page_tells_the_contracts_order(page):
    text = " ".join((ROOT / page).read_text(encoding="utf-8").replace("`", "").split())
    assert " -> ".join(layers()) in text
