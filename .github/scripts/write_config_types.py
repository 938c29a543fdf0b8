"""Write generator/catalogue/config_types.toml from Transformers' own mapping and vLLM's own trees.

    python .github/scripts/write_config_types.py TRANSFORMERS tree-0.19.1 ... tree-0.33.0

TRANSFORMERS is the unpacked package (`transformers/`), each tree the unpacked wheel of one vLLM release. Both are read
and never run.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from write_classes import order, releases

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = Path(__file__).parents[2] / "generator" / "catalogue" / "config_types.toml"
HEADER = """\
# Values of config.json's `model_type` whose class vLLM or Transformers brings: any other is code of the repository.
# Written by .github/scripts/write_config_types.py from the trees of {first} to {last}; do not edit.
#
# names     values of `model_type`
# releases  vLLM releases that know them
# source    whose list they stand in

"""


def main() -> None:
    """Write the table from what the command line names."""
    mapping = Path(sys.argv[1])
    trees = sorted((Path(name) for name in sys.argv[2:]), key=lambda one: order(version_of(one)))
    versions = [version_of(tree) for tree in trees]
    known = {version: set(registered(tree)) for version, tree in zip(versions, trees, strict=True)}
    own = sorted(set(transformers_types(mapping)))
    number = re.search(r'__version__ = "([\d.]+)"', (mapping / "__init__.py").read_text(encoding="utf-8"))
    lines = [row(own, "all", f"Transformers {number[1] if number else ''} models/auto/auto_mappings.py")]
    alike: dict[str, list[str]] = {}
    for name in sorted(set().union(*known.values()) - set(own)):
        alike.setdefault(releases([name in known[one] for one in versions], versions), []).append(name)
    lines += [row(names, held, "vLLM transformers_utils/config.py: _CONFIG_REGISTRY") for held, names in alike.items()]
    TABLE.write_text(HEADER.format(first=versions[0], last=versions[-1]) + "\n".join(lines), encoding="utf-8")
    print(f"{len(own)} of Transformers, {sum(map(len, alike.values()))} of vLLM")


def version_of(tree: Path) -> str:
    """The release of a tree, by its name."""
    return tree.name.removeprefix("tree-")


def registered(tree: Path) -> Iterator[str]:
    """Types that one release registers itself."""
    held = ast.parse((tree / "vllm/transformers_utils/config.py").read_text(encoding="utf-8"))
    for node in held.body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "_CONFIG_REGISTRY":
            for inner in ast.walk(node):
                if isinstance(inner, ast.keyword):
                    yield from [inner.arg] if inner.arg else _keys(node)


def transformers_types(package: Path) -> Iterator[str]:
    """Keys of Transformers' CONFIG_MAPPING_NAMES, wherever it is filled."""
    for name in ("auto_mappings", "configuration_auto"):
        held = ast.parse((package / "models/auto" / f"{name}.py").read_text(encoding="utf-8"))
        for node in held.body:
            if "CONFIG_MAPPING_NAMES" in ast.unparse(node)[:60] and "SPECIAL" not in ast.unparse(node)[:60]:
                yield from _keys(node)


def _keys(node: ast.stmt) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Tuple) and inner.elts and isinstance(inner.elts[0], ast.Constant):
            yield str(inner.elts[0].value)
        elif isinstance(inner, ast.Dict):
            yield from (str(key.value) for key in inner.keys if isinstance(key, ast.Constant))


def row(names: list[str], held: str, source: str) -> str:
    """One TOML row."""
    return f'[[config_type]]\nreleases = "{held}"\nnames = {json.dumps(names)}\nsource = "{source}"\n'


if __name__ == "__main__":
    main()
