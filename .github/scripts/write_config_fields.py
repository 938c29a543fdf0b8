"""Write generator/catalogue/config_fields.toml from the annotations of Transformers' own configuration classes.

    python .github/scripts/write_config_fields.py TRANSFORMERS

TRANSFORMERS is the unpacked package (`transformers/`); it is read and never run.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = Path(__file__).parents[2] / "generator" / "catalogue" / "config_fields.toml"
HEADER = """\
# What the fields of a config.json hold, where all classes of Transformers that annotate one agree: their constructors
# refuse another type ("expected bool, got str"). An absent field, and null, are no matter of this table.
# Written by .github/scripts/write_config_fields.py; do not edit.
#
# name    what they hold: flag, number, word, list, mapping
# fields  names in config.json or in the text part of it
# source  whose annotations

"""
FEWEST = 4
"""Classes that annotate a field, below which it may be another thing in repositories of their own."""
HELD = {
    "flag": {"bool"},
    "number": {"int", "float"},
    "word": {"str"},
    "list": {"list", "tuple"},
    "mapping": {"dict", "RopeParameters"},
}


def main() -> None:
    """Write the table from the package that the command line names."""
    package = Path(sys.argv[1])
    number = re.search(r'__version__ = "([\d.]+)"', (package / "__init__.py").read_text(encoding="utf-8"))
    source = f"Transformers {number[1] if number else ''} models/*/configuration_*.py"
    seen: dict[str, list[set[str]]] = defaultdict(list)
    for file in sorted(package.glob("models/*/configuration_*.py")):
        for name, kinds in annotated(ast.parse(file.read_text(encoding="utf-8"))):
            seen[name].append(kinds)
    fields: dict[str, list[str]] = {kind: [] for kind in HELD}
    for name, found in sorted(seen.items()):
        kinds = set().union(*found) - {"None"}
        kind = next((kind for kind, of in HELD.items() if kinds and kinds <= of), None)
        if kind and len(found) >= FEWEST:
            fields[kind].append(name)
    TABLE.write_text(HEADER + "\n".join(row(kind, names, source) for kind, names in fields.items()), encoding="utf-8")
    print(", ".join(f"{len(names)} {kind}s" for kind, names in fields.items()))


def annotated(module: ast.Module) -> Iterator[tuple[str, set[str]]]:
    """Fields of the configuration classes of a module, with the types that they may have."""
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef) and node.name.endswith("Config"):
            for one in node.body:
                if isinstance(one, ast.AnnAssign) and "ClassVar" not in ast.unparse(one.annotation):
                    yield ast.unparse(one.target), set(kinds_of(one.annotation))


def kinds_of(node: ast.expr) -> Iterator[str]:
    """Names of the types in an annotation, containers by their own name."""
    if isinstance(node, ast.BinOp):
        yield from kinds_of(node.left)
        yield from kinds_of(node.right)
    elif isinstance(node, ast.Subscript):
        name = ast.unparse(node.value)
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if name == "Literal":
            yield from (type(one.value).__name__ for one in inner if isinstance(one, ast.Constant))
        else:
            yield name
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from kinds_of(ast.parse(node.value, mode="eval").body)
    else:
        yield ast.unparse(node)


def row(kind: str, names: list[str], source: str) -> str:
    """One TOML row, its names in lines."""
    lines, line = [], "   "
    for name in names:
        if len(line) + len(name) > 114:  # noqa: PLR2004 - the lines of this project
            lines.append(line)
            line = "   "
        line += f' "{name}",'
    return f'[[fields]]\nname = "{kind}"\nfields = [\n' + "\n".join([*lines, line]) + f'\n]\nsource = "{source}"\n'


if __name__ == "__main__":
    main()
