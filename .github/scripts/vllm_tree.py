"""A release's own Python, unpacked from its wheel, that answers questions without being installed.

`Tree(path).value("vllm.v1.attention.backends.flash_attn", "FlashAttentionBackend")` is that class, built from its
source on demand: only the definitions that an answer touches are executed, with their annotations and caches taken
off. What a GPU, torch or a compiled extension would say comes from `world`; anything else is an `Unknown`, whose truth
nobody may ask for. So a question that needs more than is told fails, and is never answered by a guess.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_KEPT = {"staticmethod", "classmethod", "property"}
_PLAIN = {
    "inspect",
    "functools",
    "math",
    "typing",
    "enum",
    "collections",
    "dataclasses",
    "abc",
    "itertools",
    "contextlib",
    "os",
}


class NotToldError(Exception):
    """The answer depends on something that nobody told."""


class Unknown:
    """What is outside the tree: it may be passed on, asked for a part or called, not decided upon."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Unknown(f"{self._name}.{name}")

    def __call__(self, *_: Any, **__: Any) -> Any:  # noqa: D102 - its call is another Unknown
        return Unknown(f"{self._name}()")

    def __getitem__(self, key: Any) -> Any:
        return Unknown(f"{self._name}[{key!r}]")

    def __or__(self, _: Any) -> Any:
        return self

    __ror__ = __or__

    def __mro_entries__(self, _: Any) -> tuple[type, ...]:
        return ()

    def __iter__(self) -> Any:
        raise NotToldError(self._name)

    def __bool__(self) -> bool:
        raise NotToldError(self._name)

    def __repr__(self) -> str:
        return f"<{self._name}>"


class Names(dict[str, Any]):
    """The names of one module, each built when it is first asked for."""

    def __init__(self, tree: Tree, module: str, told: Mapping[str, Any]) -> None:
        super().__init__(told)
        self.module, self._tree = module, tree
        self["__builtins__"] = vars(builtins) | {"__import__": tree.imported}
        self["__name__"] = module
        self._nodes: dict[str, ast.stmt] = {}
        for node in ast.parse(tree.file(module).read_text(encoding="utf-8")).body:
            self._index(node)

    def __missing__(self, name: str) -> Any:
        if hasattr(builtins, name):
            return getattr(builtins, name)
        if name not in self._nodes:
            raise NameError(f"{self.module} has no {name}")
        node = self._nodes[name]
        for used in _used(node):
            if used != name and used in self._nodes and used not in self:
                self[used] = self[used]
        code = ast.fix_missing_locations(ast.Module(body=[_bared(node)], type_ignores=[]))
        exec(compile(code, self.module, "exec"), self, self)  # noqa: S102 - the release's own source, read from its wheel
        return self.get(name, Unknown(f"{self.module}.{name}"))

    def defined(self) -> tuple[str, ...]:
        """Every name that the module's source defines."""
        return tuple(self._nodes)

    def _index(self, node: ast.stmt) -> None:
        match node:
            case ast.FunctionDef() | ast.ClassDef():
                self._nodes[node.name] = node
            case ast.Assign():
                for target in node.targets:
                    self._nodes.update({one.id: node for one in ast.walk(target) if isinstance(one, ast.Name)})
            case ast.AnnAssign(target=ast.Name(id=name)) if node.value is not None:
                self._nodes[name] = node
            case ast.Import() | ast.ImportFrom():
                self._nodes.update({(one.asname or one.name.split(".")[0]): node for one in node.names})
            case ast.If() | ast.Try():
                other = node.orelse if isinstance(node, ast.If) else ()
                for inner in (*other, *node.body):
                    self._index(inner)
            case _:
                pass


class Module(types.ModuleType):
    """A module of the tree, as an import statement sees it."""

    def __init__(self, tree: Tree, name: str) -> None:
        super().__init__(name)
        self._tree = tree

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._tree.value(self.__name__, name)


class Tree:
    """One release's tree, and the world around it."""

    def __init__(self, path: Path, world: Mapping[str, Any]) -> None:
        """`world` is told by full name ("vllm.platforms.current_platform") or by the last one ("has_flashinfer")."""
        self.path, self._world = path, world
        self._names: dict[str, Names] = {}

    def file(self, module: str) -> Path:
        """The source of a module or package."""
        place = self.path.joinpath(*module.split("."))
        return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")

    def names(self, module: str) -> Names:
        """The names of a module."""
        if module not in self._names:
            self._names[module] = Names(self, module, {n: v for n, v in self._world.items() if "." not in n})
        return self._names[module]

    def value(self, module: str, name: str) -> Any:
        """What `name` is in `module`: told, defined there, or a module below it."""
        for told in (f"{module}.{name}", name):
            if told in self._world:
                return self._world[told]
        if self.file(f"{module}.{name}").is_file():
            return Module(self, f"{module}.{name}")
        if not self.file(module).is_file():
            return Unknown(f"{module}.{name}")
        try:
            return self.names(module)[name]
        except NameError:
            return Unknown(f"{module}.{name}")

    def imported(self, name: str, _: Any = None, __: Any = None, wanted: Any = (), level: int = 0) -> Any:
        """What an import statement of the tree gets: its own modules, a few of Python's, else an `Unknown`."""
        top = name.split(".", maxsplit=1)[0]
        if top in self._world:
            return self._world[top]
        if top == "vllm" or level:
            return Module(self, name if wanted else top)
        if top in _PLAIN:
            importlib.import_module(name)
            return sys.modules[name if wanted else top]
        return Unknown(name if wanted else top)


class _Bare(ast.NodeTransformer):
    """Annotations and decorators off, but for those that make a method what it is."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """A function without annotations; caches would remember another GPU's answer."""
        node.decorator_list = [d for d in node.decorator_list if isinstance(d, ast.Name) and d.id in _KEPT]
        node.returns = None
        arguments = node.args
        for one in (*arguments.args, *arguments.kwonlyargs, *arguments.posonlyargs, arguments.vararg, arguments.kwarg):
            if one is not None:
                one.annotation = None
        self.generic_visit(node)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """A class without decorators; the fields of a NamedTuple keep their annotations as they are."""
        if any(isinstance(base, ast.Name) and base.id == "NamedTuple" for base in node.bases):
            node.body = [self.visit(one) if isinstance(one, ast.FunctionDef) else one for one in node.body]
            return node
        node.decorator_list, node.keywords = [], []
        self.generic_visit(node)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """A plain assignment, or nothing."""
        if node.value is None:
            return ast.Pass()
        return ast.Assign(targets=[node.target], value=node.value)


def _bared(node: ast.stmt) -> ast.stmt:
    bare: ast.stmt = _Bare().visit(node)
    return bare


def _used(node: ast.stmt) -> set[str]:
    """Names that a definition itself reads when it is executed; a function's body reads its own later."""
    bare = _bared(node)
    if isinstance(bare, ast.Import | ast.ImportFrom):
        return set()
    parts: list[ast.AST] = [bare]
    if isinstance(bare, ast.ClassDef):
        parts = [*bare.bases, *(_outer(one) for one in bare.body)]
    elif isinstance(bare, ast.FunctionDef):
        parts = [_outer(bare)]
    return {one.id for part in parts for one in ast.walk(part) if isinstance(one, ast.Name)}


def _outer(node: ast.stmt) -> ast.AST:
    """What of a function is read where it is defined: its defaults."""
    if isinstance(node, ast.FunctionDef):
        return ast.Tuple(elts=[*node.args.defaults, *(one for one in node.args.kw_defaults if one)], ctx=ast.Load())
    return node
