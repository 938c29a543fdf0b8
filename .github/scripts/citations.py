"""What our sources cite of vLLM's code, and which of it a release changed. vLLM is read and never run."""

from __future__ import annotations

import ast
import re
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from generator.models.release import release_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_CITED = re.compile(
    r"(?:\b(?P<release>0\.\d+(?:\.\d+)?) )?\b(?P<file>[\w/]+\.py)(?::(?P<line>\d+)|: (?P<name>[A-Za-z_][\w.]*))?"
)
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


class Citation(NamedTuple):
    """One place of vLLM that one of our files cites."""

    ours: str
    release: str
    """Empty where the text names none."""
    file: str
    """The end of a path below vllm/."""
    line: int = 0
    name: str = ""


class Changed(NamedTuple):
    """A definition of vLLM that a release changed or lost, and our files that cite it."""

    place: str
    how: str
    ours: tuple[str, ...]


class Code:
    """The definitions of one release, by file."""

    def __init__(self, tree: Path) -> None:
        """`tree` is the directory above `vllm`."""
        self.root = tree / "vllm"
        self._found: dict[str, dict[str, Definition]] = {}

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Paths below vllm/."""
        return tuple(file.relative_to(self.root).as_posix() for file in self.root.rglob("*.py"))

    def file(self, end: str) -> str | None:
        """The one file whose path ends so; None where there is none, or more than one."""
        found = [one for one in self.files if one == end] or [one for one in self.files if one.endswith(f"/{end}")]
        return found[0] if len(found) == 1 else None

    def definitions(self, file: str) -> dict[str, Definition]:
        """Functions, classes and assignments of a file by their dotted names; empty where there is no such file."""
        if file not in self._found:
            path = self.root / file
            source = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
            self._found[file] = dict(_named(source, ""))
        return self._found[file]

    def at(self, file: str, line: int) -> str | None:
        """The innermost definition around a line; None where there is none."""
        around = {name: one for name, one in self.definitions(file).items() if _holds(one, line)}
        return max(around, key=lambda name: (around[name].lineno, len(name)), default=None)

    def called(self, file: str, name: str) -> str | None:
        """The definition whose dotted name ends so; None where there is none."""
        return next((one for one in self.definitions(file) if one == name or one.endswith(f".{name}")), None)


def _named(node: ast.AST, above: str) -> Iterator[tuple[str, Definition]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield f"{above}{child.name}", child
            yield from _named(child, f"{above}{child.name}.")
        elif isinstance(child, ast.Assign | ast.AnnAssign):
            target = child.targets[0] if isinstance(child, ast.Assign) else child.target
            if isinstance(target, ast.Name):
                yield f"{above}{target.id}", child
        elif isinstance(child, ast.If | ast.Try):
            yield from _named(child, above)


def _holds(one: Definition, line: int) -> bool:
    decorators = [] if isinstance(one, ast.Assign | ast.AnnAssign) else one.decorator_list
    first = min(one.lineno, *(decorator.lineno for decorator in decorators), one.lineno)
    return first <= line <= (one.end_lineno or one.lineno)


def citations(text: str, ours: str) -> Iterator[Citation]:
    """Every place of vLLM that a text cites; one without a release is of the last one named before it."""
    release = ""
    for found in _CITED.finditer(" ".join(text.split())):
        release = found["release"] or release
        yield Citation(ours, release, found["file"], int(found["line"] or 0), found["name"] or "")


def cited_in(root: Path) -> Iterator[Citation]:
    """Citations of the docstrings of `generator` and of the sources of its tables, once each."""
    package = root / "generator"
    for file in sorted(package.rglob("*.py")):
        ours = file.relative_to(package).as_posix()
        for text in _strings(ast.parse(file.read_text(encoding="utf-8"))):
            yield from citations(text, ours)
    for table in sorted((package / "catalogue").glob("*.toml")):
        sources = re.findall(r'^source = "(.*)"$', table.read_text(encoding="utf-8"), re.MULTILINE)
        for source in dict.fromkeys(sources):
            yield from citations(source, f"catalogue/{table.name}")


def _strings(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value


def changed(cited: Iterable[Citation], trees: dict[str, Path], before: str, after: str) -> list[Changed]:
    """Cited definitions that `after` has otherwise than `before`, in the order of vLLM's files."""
    codes = {release: Code(tree) for release, tree in trees.items()}
    held: dict[tuple[str, str], list[str]] = {}
    for one in cited:
        for place in _places(one, codes, before):
            held.setdefault(place, []).append(one.ours)
    found = []
    for (file, name), ours in sorted(held.items()):
        how = _difference(codes[before].definitions(file)[name], codes[after].definitions(file).get(name))
        if how:
            found.append(Changed(f"{file}: {name}", how, tuple(dict.fromkeys(ours))))
    return found


def _places(one: Citation, codes: dict[str, Code], before: str) -> Iterator[tuple[str, str]]:
    """File and definition in the release `before` of what is cited, where it is still there."""
    reading = codes.get(_read_release(one.release, codes) or before, codes[before])
    file = reading.file(one.file)
    if file is None:
        return
    name = reading.called(file, one.name) if one.name else reading.at(file, one.line) if one.line else None
    if name is not None and name in codes[before].definitions(file):
        yield file, name


def _read_release(named: str, codes: dict[str, Code]) -> str | None:
    """The release that a text means by its number, or by its number without a patch."""
    same = [one for one in codes if one == named or one.rpartition(".")[0] == named]
    return max(same, key=release_key, default=None) if named else None


def _difference(before: Definition, after: Definition | None) -> str:
    """In a word how a definition differs; empty where it does not, comments and layout apart."""
    if after is None:
        return "gone"
    return "" if ast.dump(before) == ast.dump(after) else "changed"
