"""One release of vLLM as syntax trees: the classes of its model registry, and what each inherits. Nothing is run."""

from __future__ import annotations

import ast
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

MODELS = "vllm.model_executor.models"
OTHER_PLATFORMS = ("is_rocm", "is_xpu", "is_cpu", "is_tpu")
"""Words of a condition whose branch is not that of an NVIDIA GPU."""


class Defined(NamedTuple):
    """A class where it is defined."""

    module: str
    node: ast.ClassDef


class Tree:
    """The unpacked Python of one release."""

    def __init__(self, root: Path) -> None:
        """`root` is the directory above `vllm`, named `tree-0.33.0`."""
        self.root, self.version = root, root.name.rpartition("-")[2]
        self._modules: dict[str, Module | None] = {}
        self._lines: dict[Defined, list[Defined]] = {}

    def module(self, name: str) -> Module | None:
        """The module of a dotted name; None where the release has none."""
        if name not in self._modules:
            place = self.root.joinpath(*name.split("."))
            file = next((one for one in (place.with_suffix(".py"), place / "__init__.py") if one.is_file()), None)
            self._modules[name] = None if file is None else Module(name, file)
        return self._modules[name]

    def find(self, module: str, name: str) -> Defined | None:
        """The class that `module` calls `name`, followed through imports, aliases and adapters."""
        held = self.module(module)
        if held is None:
            return None
        if name in held.classes:
            return Defined(module, held.classes[name])
        if name in held.values:
            return self.expression(module, held.values[name])
        if name in held.imports:
            return self.find(*held.imports[name])
        starred = (self.find(one, name) for one in held.stars)
        return next((one for one in starred if one), None)

    def expression(self, module: str, node: ast.expr) -> Defined | None:
        """The class that an expression names; that which an adapter wraps: `as_embedding_model(X)`, `Generic[X]`."""
        if isinstance(node, ast.Name):
            return self.find(module, node.id)
        if isinstance(node, ast.Call) and node.args:
            return self.expression(module, node.args[0])
        if isinstance(node, ast.Subscript):
            return self.expression(module, node.value)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            held = self.module(module)
            where = held.imports.get(node.value.id) if held else None
            return self.find(".".join(where), node.attr) if where else None
        return None

    def lineage(self, one: Defined) -> list[Defined]:
        """The class and all that it inherits, nearest first."""
        if one not in self._lines:
            bases = [self.expression(one.module, base) for base in one.node.bases]
            above = [self.lineage(base) for base in bases if base is not None and base != one]
            self._lines[one] = list(dict.fromkeys(held for line in ([one], *above) for held in line))
        return self._lines[one]

    def held(self, line: list[Defined], name: str) -> Defined | str | None:
        """What a class keeps as `self.name`: a class, or the name that it asks the registry for; None where unclear."""
        for one in line:
            for value in _assigned(one.node, name):
                found = self._made(one, value, line)
                if found is not None:
                    return found
        return None

    def _made(self, one: Defined, value: ast.expr, line: list[Defined]) -> Defined | str | None:
        """The class that a call makes: of a name, by the registry, or by `self._init_model`."""
        if not isinstance(value, ast.Call):
            return None
        listed = next((word.value for word in value.keywords if word.arg == "architectures"), None)
        if isinstance(listed, ast.List) and listed.elts and isinstance(listed.elts[0], ast.Constant):
            return str(listed.elts[0].value)
        if isinstance(value.func, ast.Name):
            return self.find(one.module, value.func.id)
        called = value.func.attr if isinstance(value.func, ast.Attribute) else ""
        for above in line:
            for body in above.node.body:
                if isinstance(body, ast.Assign) and ast.unparse(body.targets[0]) == called:
                    return self.expression(above.module, body.value)
                if isinstance(body, ast.FunctionDef) and body.name == called:
                    return self._returned(above, body, line)
        return None

    def _returned(self, one: Defined, body: ast.FunctionDef, line: list[Defined]) -> Defined | str | None:
        returned = [held.value for held in ast.walk(body) if isinstance(held, ast.Return) and held.value]
        return self._made(one, returned[0], line) if returned else None


class Module:
    """What one module defines and imports on an NVIDIA GPU."""

    def __init__(self, name: str, file: Path) -> None:
        """`name` is dotted; a package's file is its `__init__.py`."""
        self.name, self.package = name, file.name == "__init__.py"
        self.body = ast.parse(file.read_text(encoding="utf-8")).body

    @cached_property
    def statements(self) -> list[ast.stmt]:
        """Statements at the top, those of the branch that an NVIDIA GPU takes included."""
        return list(_taken(self.body))

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        """Classes by name."""
        return {one.name: one for one in self.statements if isinstance(one, ast.ClassDef)}

    @cached_property
    def values(self) -> dict[str, ast.expr]:
        """What is assigned, by name."""
        plain = [one for one in self.statements if isinstance(one, ast.Assign)]
        typed = [one for one in self.statements if isinstance(one, ast.AnnAssign) and one.value is not None]
        named = [(one.targets[0], one.value) for one in plain] + [(one.target, one.value) for one in typed]
        return {target.id: value for target, value in named if isinstance(target, ast.Name) and value is not None}

    @cached_property
    def imports(self) -> dict[str, tuple[str, str]]:
        """Module and name of what is imported, by its name here."""
        froms = [one for one in self.statements if isinstance(one, ast.ImportFrom)]
        return {
            alias.asname or alias.name: (self._absolute(one), alias.name)
            for one in froms
            for alias in one.names
            if alias.name != "*"
        }

    @cached_property
    def stars(self) -> list[str]:
        """Modules of which everything is imported."""
        froms = [one for one in self.statements if isinstance(one, ast.ImportFrom)]
        return [self._absolute(one) for one in froms if any(alias.name == "*" for alias in one.names)]

    def _absolute(self, one: ast.ImportFrom) -> str:
        parts = self.name.split(".")
        kept = parts[: len(parts) - one.level + self.package] if one.level else []
        return ".".join([*kept, *([one.module] if one.module else [])])


def _taken(body: list[ast.stmt]) -> Any:
    """Statements that run at import on an NVIDIA GPU; those for type checkers too, where modules import by need."""
    for one in body:
        if isinstance(one, ast.If):
            condition = ast.unparse(one.test)
            elsewhere = any(word in condition for word in OTHER_PLATFORMS) and "not " not in condition
            if not elsewhere:
                yield from _taken(one.body)
            if elsewhere or condition == "TYPE_CHECKING":
                yield from _taken(one.orelse)
        elif isinstance(one, ast.Try):
            yield from _taken(one.body)
        else:
            yield one


def _assigned(node: ast.ClassDef, name: str) -> list[ast.expr]:
    """Everything that methods of a class assign to `self.name`."""
    found = [one for one in ast.walk(node) if isinstance(one, ast.Assign)]
    return [one.value for one in found if any(ast.unparse(target) == f"self.{name}" for target in one.targets)]
