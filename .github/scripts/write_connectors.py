"""Write `generator/catalogue/connectors.toml` from vLLM's own trees.

    python .github/scripts/write_connectors.py TREE [TREE ...]

A connector keeps groups where its class or one that it derives from is a SupportsHMA.
"""

from __future__ import annotations

import ast
import sys
from itertools import groupby
from pathlib import Path

from write_backends import release_of_tree

TARGET = Path(__file__).parents[2] / "generator" / "catalogue" / "connectors.toml"
PLACE = "distributed/kv_transfer/kv_connector"
HEAD = """\
# KV connectors of vLLM (kv_transfer_config), and whether they keep caches in groups of layers.
#
# name          the value of kv_connector
# since, until  first and last release read of which the row holds; absent without an end
# groups        true where its class supports the hybrid KV cache manager; else vLLM switches that off
# source        file below vllm/
#
# Written by .github/scripts/write_connectors.py from the wheels of {first} to {last}; do not edit.
"""


def connectors(tree: Path) -> dict[str, bool]:
    """Registered connectors, and whether each keeps groups."""
    root = tree / "vllm" / PLACE
    bases: dict[str, list[str]] = {}
    for file in sorted(root.rglob("*.py")):
        module = ast.parse(file.read_text(encoding="utf-8"))
        bases |= {node.name: _names(node) for node in ast.walk(module) if isinstance(node, ast.ClassDef)}
        bases |= dict(found for one in module.body if (found := _alias(one)))
    calls = (node for node in ast.walk(ast.parse((root / "factory.py").read_text())) if isinstance(node, ast.Call))
    registered = (call for call in calls if getattr(call.func, "attr", "") == "register_connector")
    named = ([ast.literal_eval(one) for one in call.args] for call in registered)
    return {name: _keeps_groups(class_name, bases) for name, _, class_name in named}


def _names(node: ast.ClassDef) -> list[str]:
    return [ast.unparse(base).rpartition(".")[2].partition("[")[0] for base in node.bases]


def _alias(node: ast.stmt) -> tuple[str, list[str]] | None:
    """`NixlConnector = NixlPullConnector`, as a class with that base."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name(id=other)):
            return name, [other]
        case _:
            return None


def _keeps_groups(name: str, bases: dict[str, list[str]]) -> bool:
    return name == "SupportsHMA" or any(_keeps_groups(base, bases) for base in bases.get(name, []) if base != name)


def main(trees: list[Path]) -> None:
    """Write the table from unpacked releases."""
    found = {release_of_tree(tree): connectors(tree) for tree in trees}
    releases = sorted(found, key=lambda one: tuple(map(int, one.split("."))))
    lines = [HEAD.format(first=releases[0], last=releases[-1])]
    for name in sorted({name for one in found.values() for name in one}):
        for groups, run in groupby(releases, key=lambda release: found[release].get(name)):
            held = list(run)
            if groups is None:
                continue
            since = [] if held[0] == releases[0] else [f'since = "{_after(releases, held[0])}"']
            until = [] if held[-1] == releases[-1] else [f'until = "{held[-1].rpartition(".")[0]}"']
            said = f"groups = {str(groups).lower()}"
            lines += ["[[connector]]", f'name = "{name}"', *since, *until, said, f'source = "{PLACE}/factory.py"', ""]
    TARGET.write_text("\n".join(lines), encoding="utf-8")


def _after(releases: list[str], release: str) -> str:
    """The first minor release after the one read before: what lies between counts as the newer."""
    major, minor, _ = releases[releases.index(release) - 1].split(".")
    return f"{major}.{int(minor) + 1}"


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
