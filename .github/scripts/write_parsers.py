"""Write generator/catalogue/parsers.toml from vLLM's own trees.

    python .github/scripts/write_parsers.py tree-0.19.1 ... tree-0.33.0

A release's names are the keys of two dictionaries in its own source, read and never run.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).parents[2] / "generator" / "catalogue" / "parsers.toml"

HEADER = """\
# Names of vLLM's parsers, one row a parser: the values of --tool-call-parser and --reasoning-parser.
# Written by .github/scripts/write_parsers.py from the trees of {first} to {last}; do not edit.
#
# since   first release that has the name; absent where the oldest one read, {first}, has it
# until   last release that has it; absent where the newest one read, {last}, has it

"""

REGISTRIES = {
    "tool": ("vllm/tool_parsers/__init__.py", "_TOOL_PARSERS_TO_REGISTER"),
    "reasoning": ("vllm/reasoning/__init__.py", "_REASONING_PARSERS_TO_REGISTER"),
}


class Release(NamedTuple):
    """One release and the names in its registries, by kind."""

    version: str
    names: dict[str, list[str]]


def main(trees: list[Path]) -> None:
    """Write the table from unpacked releases."""
    releases = sorted(map(read, trees), key=lambda one: order(one.version))
    versions = [one.version for one in releases]
    rows = [
        row(kind, name, [kind_name(one, kind, name) for one in releases], versions)
        for kind in REGISTRIES
        for name in sorted({name for one in releases for name in one.names[kind]})
    ]
    header = HEADER.format(first=versions[0], last=versions[-1])
    TABLE.write_text(header + "\n".join(rows), encoding="utf-8")
    print(f"{len(rows)} parsers of {len(versions)} releases, {TABLE.stat().st_size} bytes")


def read(tree: Path) -> Release:
    """The names in the registries of one tree, which is named after its release."""
    names = {kind: keys((tree / path).read_bytes(), variable) for kind, (path, variable) in REGISTRIES.items()}
    return Release(tree.name.rpartition("-")[2], names)


def keys(source: bytes, variable: str) -> list[str]:
    """Keys of the dictionary literal that a module assigns to `variable`."""
    for statement in ast.parse(source).body:
        targets = [ast.unparse(target) for target in getattr(statement, "targets", ())]
        if isinstance(statement, ast.Assign) and variable in targets and isinstance(statement.value, ast.Dict):
            return [ast.literal_eval(key) for key in statement.value.keys if key]
    raise SystemExit(f"no dictionary {variable}")


def kind_name(release: Release, kind: str, name: str) -> bool:
    """Whether the release has the parser."""
    return name in release.names[kind]


def row(kind: str, name: str, held: list[bool], versions: list[str]) -> str:
    """One TOML row; a name that left and came back would need two, and there is none."""
    first, last = held.index(True), len(held) - 1 - held[::-1].index(True)
    if not all(held[first : last + 1]):
        raise SystemExit(f"{kind} parser {name} left and came back: give the table a second row for it")
    lines = ["[[parser]]", f'name = "{name}"', f'kind = "{kind}"']
    lines += [f'since = "{versions[first]}"'] * (first > 0)
    lines += [f'until = "{versions[last]}"'] * (last < len(held) - 1)
    return "\n".join(lines) + "\n"


def order(version: str) -> tuple[int, ...]:
    """A version as numbers that sort."""
    return tuple(map(int, version.split(".")))


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
