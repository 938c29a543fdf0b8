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
EVERY = pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(PLANNING).as_posix())
RELEASE = re.compile(r"\bv?0\.\d+(\.\d+)?\b")
CAPABILITIES = {70, 72, 75, 80, 86, 87, 89, 90, 100, 101, 103, 110, 120, 121}


def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def strings(tree: ast.Module) -> list[str]:
    """Strings of a module, docstrings apart."""
    spoken = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
    constants = [one for one in ast.walk(tree) if isinstance(one, ast.Constant) and id(one) not in spoken]
    return [one.value for one in constants if isinstance(one.value, str)]


def names(tree: ast.Module) -> list[str]:
    """Strings that are a class of vLLM's registry or a family's model_type."""
    known = {*classes_of(DEFAULT_VERSION).rows, *FAMILIES}
    return [word for word in strings(tree) if word in known]


def releases(tree: ast.Module) -> list[str]:
    """Releases of vLLM as strings, or as tuples of numbers."""
    pairs = [one for one in ast.walk(tree) if isinstance(one, ast.Tuple) and len(one.elts) > 1 and _numbers(one)]
    said = [ast.unparse(one) for one in pairs if one.elts[0].value == 0 and one.elts[1].value > 1]
    return [*filter(RELEASE.search, strings(tree)), *said]


def _numbers(one: ast.Tuple) -> bool:
    return all(isinstance(part, ast.Constant) and type(part.value) is int for part in one.elts)


def capabilities(tree: ast.Module) -> list[str]:
    """Comparisons and divisions of a capability by a number, and collections of capabilities."""
    asked = (ast.Compare, ast.FloorDiv, ast.Mod, ast.Div)
    found = [one for one in ast.walk(tree) if isinstance(getattr(one, "op", one), asked)]
    told = [one for one in found if "capability" in ast.unparse(one) and _integers(ast.walk(one))]
    held = [one for one in ast.walk(tree) if isinstance(one, ast.Set | ast.Tuple | ast.List | ast.Dict)]
    parts = {one: [*one.keys, *one.values] if isinstance(one, ast.Dict) else one.elts for one in held}
    tables = [one for one in held if len(_integers(parts[one])) > 1 and {*_integers(parts[one])} <= CAPABILITIES]
    return [ast.unparse(one) for one in (*told, *tables)]


def _integers(nodes) -> list[int]:
    return [one.value for one in nodes if isinstance(one, ast.Constant) and type(one.value) is int]


@EVERY
def test_no_class_and_no_family_is_named(file: Path) -> None:
    """A class belongs into `classes.toml` or `class_notes.toml`, a family into the table of families."""
    assert names(parsed(file)) == []


@EVERY
def test_no_release_is_named(file: Path) -> None:
    """What a release does is a row of `behaviours.toml`; neither a string nor a tuple of numbers says one here."""
    assert releases(parsed(file)) == []


@EVERY
def test_no_capability_is_a_bare_number(file: Path) -> None:
    """A generation has its name in `models/capability.py`: nothing compares a capability with a number."""
    assert capabilities(parsed(file)) == []


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (names, "_MIXED = ('Qwen3NextForCausalLM',)"),
        (names, "hybrid = architecture.model_type == 'qwen3_next'"),
        (releases, "_SINCE = '0.29'"),
        (releases, "late = f'from v0.30.1 on'"),
        (releases, "late = release_key(version) >= (0, 31)"),
        (capabilities, "new = gpu.capability >= 90"),
        (capabilities, "major = capability // 10"),
        (capabilities, "_BLACKWELL = (100, 103)"),
        (capabilities, "_RATES = {80: 0.6, 90: 0.7}"),
    ],
)
def test_a_planted_fact_is_found(found, line: str) -> None:
    """A class, a family, a release or a capability, however it is written."""
    assert found(ast.parse(line))
