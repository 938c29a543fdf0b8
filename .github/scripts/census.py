"""Every way in which a release of vLLM refuses to start, and our answer to each.

    python .github/scripts/census.py TREES [RELEASE...]          what has no answer; status 8 where there is one
    python .github/scripts/census.py TREES RELEASE --list        every refusal with its answer

TREES holds tree-RELEASE, the Python of a wheel (.ci/install-oracle). Answers stand in tests/oracle/census.toml.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

TABLE = Path(__file__).parents[2] / "tests" / "oracle" / "census.toml"
ANSWERS = ("rule", "never", "host", "request", "user")
UNANSWERED = 8
_REQUEST_PATH = "(request path)"
_NARROWS = re.compile(r"isinstance\(.*\)|callable\(.*\)|[\w.\[\]]+ is (not )?None|False")
"""Assertions that say of a value what it is, not what it may be."""


@dataclass(frozen=True)
class Refusal:
    """One `raise` with a message, or an assertion: its file below vllm/, its function, and what it says."""

    area: str
    file: str
    function: str
    message: str


def refusals(tree: Path, table: Mapping[str, Any]) -> Iterator[Refusal]:
    """Every refusal of the table's areas, in the order of files and lines; those of a request path as one a file."""
    root = tree / "vllm"
    seen: set[str] = set()
    for area, patterns in table["areas"].items():
        for file in sorted({found for pattern in patterns for found in root.glob(pattern)}):
            name = file.relative_to(root).as_posix()
            if name not in seen:
                seen.add(name)
                asserted = any(fnmatch(name, one) for one in table["asserted"]["files"])
                yield from _of_file(area, name, file, table["request_path"]["functions"], asserted=asserted)


def _of_file(area: str, name: str, file: Path, later: Sequence[str], *, asserted: bool) -> Iterator[Refusal]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    told = False
    for function, node in _raises(tree, ()):
        if isinstance(node, ast.Assert) and not asserted:
            continue
        message = _asserted(node) if isinstance(node, ast.Assert) else _message(node)
        on_request = any(fnmatch(function.rpartition(".")[2], one) for one in later)
        if message and not (on_request and told):
            yield Refusal(area, name, function, _REQUEST_PATH if on_request else message)
            told = told or on_request


def _raises(node: ast.AST, path: tuple[str, ...]) -> Iterator[tuple[str, ast.Raise | ast.Assert]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Raise | ast.Assert):
            yield ".".join(path) or "(module)", child
        named = (child.name,) if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else ()
        yield from _raises(child, (*path, *named))


def _message(node: ast.Raise) -> str:
    """The message with `{}` where a value stands; empty where nothing is said."""
    if not isinstance(node.exc, ast.Call):
        return ""
    return " ".join(" ".join(_text(one) for one in node.exc.args).split())


def _asserted(node: ast.Assert) -> str:
    """What is asserted; empty where that is a type alone, which a type checker is told."""
    test = ast.unparse(node.test)
    return "" if _NARROWS.fullmatch(test) else f"assert {test}"


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(one) if isinstance(one, ast.Constant) else "{}" for one in node.values)
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    return "{}"


def answer_of(refusal: Refusal, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The first row that speaks of the refusal."""
    return next((row for row in rows if _speaks_of(row, refusal)), None)


def _speaks_of(row: Mapping[str, Any], refusal: Refusal) -> bool:
    files, functions = row.get("files", ["*"]), row.get("functions", ["*"])
    says = row.get("says", "").lower()
    named = any(fnmatch(refusal.file, one) for one in files)
    within = any(fnmatch(part, one) for one in functions for part in (refusal.function, *refusal.function.split(".")))
    return named and within and says in refusal.message.lower()


def main() -> int:
    """Print what has no answer, and count what has one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trees", type=Path)
    parser.add_argument("releases", nargs="*", default=["0.32.0", "0.33.0"])
    parser.add_argument("--list", action="store_true")
    given = parser.parse_args()
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    open_ones = 0
    for release in given.releases:
        counts: Counter[str] = Counter()
        for one in refusals(given.trees / f"tree-{release}", table):
            row = answer_of(one, table["answer"])
            counts[row["answer"] if row else "unanswered"] += 1
            if given.list or row is None:
                print(one.area, one.file, one.function, "|", one.message[:160], "|", row["answer"] if row else "?")
        print(release, dict(counts))
        open_ones += counts["unanswered"]
    return UNANSWERED if open_ones else 0


if __name__ == "__main__":
    sys.exit(main())
