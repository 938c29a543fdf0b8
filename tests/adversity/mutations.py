"""Faults that one could have written into a source: one place changed at a time, as mutation testing does."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OTHER: dict[type, type] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
}  # fmt: skip


class Fault(NamedTuple):
    """One mutation: where it is, of which kind, and the source as it was."""

    file: str
    line: int
    number: int
    """Of the file's faults, in the order of its tree."""
    kind: str
    was: str


def faults(root: Path, file: Path) -> Iterator[Fault]:
    """Every fault of a file; lines that the type checker alone reads have none."""
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines()
    for number, (node, kind) in enumerate(_places(ast.parse(text))):
        yield Fault(file.relative_to(root).as_posix(), node.lineno, number, kind, lines[node.lineno - 1].strip())


def with_fault(text: str, number: int) -> ast.Module:
    """The tree of a source with one of its faults."""
    tree = ast.parse(text)
    node, kind = list(_places(tree))[number]
    _Change(node, kind).visit(tree)
    return ast.fix_missing_locations(tree)


def _places(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """What can be changed, in order."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield from ((node, kind) for kind in _kinds(node))
        yield from _places(node)


def _kinds(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _OTHER:
        yield "comparison"
    if isinstance(node, ast.BoolOp) or (isinstance(node, ast.BinOp) and type(node.op) in _OTHER):
        yield "operator"
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        yield "condition"
    if isinstance(node, ast.Constant) and isinstance(node.value, bool | int):
        yield "constant"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not"
    if isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        yield "return"
    if isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        yield "left out"


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


class _Change(ast.NodeTransformer):
    """Changes one node of a tree."""

    def __init__(self, node: ast.AST, kind: str) -> None:
        self._node, self._kind = node, kind

    def visit(self, node: ast.AST) -> ast.AST:
        """The node, or what the fault makes of it."""
        if node is not self._node:
            return self.generic_visit(node)
        return ast.copy_location(_changed(node, self._kind), node)


def _changed(node: ast.AST, kind: str) -> ast.AST:
    if isinstance(node, ast.Compare):
        node.ops[0] = _OTHER[type(node.ops[0])]()
    elif isinstance(node, ast.BoolOp | ast.BinOp):
        node.op = _OTHER[type(node.op)]()
    elif isinstance(node, ast.If | ast.IfExp | ast.While) and kind == "condition":
        node.test = ast.copy_location(ast.UnaryOp(ast.Not(), node.test), node.test)
    elif isinstance(node, ast.Constant):
        node.value = (not node.value) if isinstance(node.value, bool) else node.value + 1
    elif isinstance(node, ast.UnaryOp):
        return node.operand
    elif isinstance(node, ast.Return):
        node.value = ast.Constant(None)
    else:
        return ast.Pass()
    return node
