"""Write generator/catalogue/config_keys.toml from vLLM's own trees.

    python .github/scripts/write_config_keys.py tree-0.19.1 ... tree-0.33.0

A release's keys are the fields of its own configuration classes, its closed sets of values their `Literal`s, read and
never run. A set that is open in some releases, or that a validator widens, is left out.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

TABLE = Path(__file__).parents[2] / "generator" / "catalogue" / "config_keys.toml"

HEADER = """\
# Keys of vLLM's arguments that are mappings of a closed vocabulary, one row an argument. vLLM refuses another key, and
# another value of the keys under `choices`, while it parses its command line; `speculative_config` a moment later.
# Written by .github/scripts/write_config_keys.py from the trees of {first} to {last}; do not edit.
#
# name     the argument, or `argument.key` of a mapping inside it
# source   vLLM's class, in vllm/config
# keys     keys of all releases read that have the argument, save those of since and until
# since    first release that has the key, where the oldest one read with the argument has it not; `key.value` likewise
#          of one of its choices, where the oldest one read with the key has it not
# until    last release that has the key, or the choice, where the newest one has it not
# choices  values of a key that takes no other
# any_case keys under choices that take a word in any case
"""
ASKED_LATER = {"speculative_config": "SpeculativeConfig"}
"""Arguments that the parser takes as any mapping, and a class refuses later (engine/arg_utils.py)."""
ENUMS = ("CUDAGraphMode", "CompilationMode")
"""Enumerations that a validator reads from a name in any case (config/compilation.py)."""
PLANNED = frozenset({"speculative_config.method"})
"""Closed sets that the planner's own checks answer for, with the ways to draft that it counts."""
GIVEN_BY_VLLM = ("target_model_config", "target_parallel_config", "draft_model_config", "draft_parallel_config")
"""Fields that hold vLLM's own objects and no value that a person can write."""


class Key(NamedTuple):
    """One field: its values where they are closed, whether in any case, and the class of a mapping inside it."""

    choices: tuple[Any, ...] = ()
    any_case: bool = False
    inner: str = ""


Keys = dict[str, Key]


class Source(NamedTuple):
    """The configuration modules of one release: classes and assignments by name."""

    classes: dict[str, ast.ClassDef]
    values: dict[str, ast.expr]
    modules: dict[str, str]


def main(trees: list[Path]) -> None:
    """Write the table from unpacked releases."""
    read = sorted(map(release, trees), key=lambda one: tuple(map(int, one[0].split("."))))
    versions = [version for version, _ in read]
    names = sorted({name for _, arguments in read for name in arguments})
    rows = [row(name, {version: held[name] for version, held in read if name in held}) for name in names]
    TABLE.write_text(HEADER.format(first=versions[0], last=versions[-1]) + "\n" + "\n".join(rows), encoding="utf-8")
    print(f"{len(rows)} mappings of {len(versions)} releases, {TABLE.stat().st_size} bytes")


def release(tree: Path) -> tuple[str, dict[str, tuple[str, Keys]]]:
    """Version of one tree, which is named after it; class and keys by argument."""
    files = sorted((*tree.glob("vllm/config/**/*.py"), tree / "vllm/engine/arg_utils.py"))
    texts = {file.relative_to(tree).as_posix(): file.read_bytes() for file in files}
    arguments = ast.parse(texts.pop("vllm/engine/arg_utils.py"))
    source = source_of(texts)
    found: dict[str, tuple[str, Keys]] = {}
    for name, class_name in argument_classes(arguments, source).items():
        add(found, name, class_name, source)
    return tree.name.rpartition("-")[2], found


def source_of(texts: dict[str, bytes]) -> Source:
    """Classes and assignments at the top of the modules."""
    source = Source({}, {}, {})
    for path, text in texts.items():
        for statement in ast.parse(text).body:
            if isinstance(statement, ast.ClassDef):
                source.classes[statement.name] = statement
                source.modules[statement.name] = path.rpartition("/")[2]
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                source.values[statement.targets[0].id] = statement.value
    return source


def argument_classes(arguments: ast.Module, source: Source) -> dict[str, str]:
    """Configuration class by argument, for those that are annotated with a class and nothing else."""
    engine = next(one for one in arguments.body if isinstance(one, ast.ClassDef) and one.name == "EngineArgs")
    found = {name: class_of(annotation, source) for name, annotation, _ in fields(engine)}
    return {name: class_name for name, class_name in found.items() if class_name} | ASKED_LATER


def add(found: dict[str, tuple[str, Keys]], name: str, class_name: str, source: Source) -> None:
    """Put a mapping and those inside it into `found`."""
    keys = keys_of(source.classes[class_name], source)
    found[name] = (f"{source.modules[class_name]}: {class_name}", keys)
    for key, held in keys.items():
        if held.inner:
            add(found, f"{name}.{key}", held.inner, source)


def keys_of(defined: ast.ClassDef, source: Source) -> Keys:
    """The fields that a person can give, those of base classes included."""
    widened = validated(defined)
    own = {
        name: key_of(annotation, source, widened=name in widened)
        for name, annotation, default in fields(defined)
        if "init=False" not in default and name not in GIVEN_BY_VLLM
    }
    bases = [source.classes[base.id] for base in defined.bases if isinstance(base, ast.Name)]
    return {name: key for base in bases for name, key in keys_of(base, source).items()} | own


def fields(defined: ast.ClassDef) -> list[tuple[str, ast.expr, str]]:
    """Name, annotation and default of each annotated field of a class."""
    return [
        (one.target.id, one.annotation, ast.unparse(one.value) if one.value else "")
        for one in defined.body
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and "ClassVar" not in ast.unparse(one)
    ]


def validated(defined: ast.ClassDef) -> set[str]:
    """Fields that a validator changes before they are read."""
    decorators = [decorator for one in defined.body for decorator in getattr(one, "decorator_list", ())]
    changing = [call for call in decorators if "mode=" in ast.unparse(call)]
    return {str(one.value) for call in changing for one in getattr(call, "args", ()) if isinstance(one, ast.Constant)}


def key_of(annotation: ast.expr, source: Source, *, widened: bool) -> Key:
    """What a field takes."""
    parts = [part for part in union(annotation) if ast.unparse(part) != "None"]
    enum = ast.unparse(parts[0]) if len(parts) == 1 else ""
    if enum in ENUMS:
        return Key(members(source.classes[enum]), any_case=True)
    words = [] if widened else [literal(part, source) for part in parts]
    closed = tuple(word for group in words for word in group or ()) if words and None not in words else ()
    return Key(closed, inner="" if closed else class_of(annotation, source))


def members(defined: ast.ClassDef) -> tuple[Any, ...]:
    """Names of an enumeration, then those of its values that are numbers."""
    given = [one for one in defined.body if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name)]
    numbers = [one.value.value for one in given if isinstance(one.value, ast.Constant)]
    return (*(one.targets[0].id for one in given), *numbers)  # type: ignore[attr-defined]


def literal(annotation: ast.expr, source: Source) -> list[Any] | None:
    """The values of a `Literal`, also of a named one; None for any other annotation."""
    if isinstance(annotation, ast.Name) and annotation.id in source.values:
        return literal(source.values[annotation.id], source)
    if not (isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Literal"):
        return None
    inside = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
    groups = [[one.value] if isinstance(one, ast.Constant) else literal(one, source) or [] for one in inside]
    return list(dict.fromkeys(word for group in groups for word in group))


def class_of(annotation: ast.expr, source: Source) -> str:
    """The configuration class that an annotation names, alone or with None; "" for any other annotation."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    parts = [ast.unparse(part) for part in union(annotation) if ast.unparse(part) != "None"]
    defined = source.classes.get(parts[0]) if len(parts) == 1 else None
    is_config = defined is not None and any("config" in ast.unparse(one) for one in defined.decorator_list)
    return parts[0] if is_config else ""


def union(annotation: ast.expr) -> list[ast.expr]:
    """The sides of `A | B`."""
    if isinstance(annotation, ast.BinOp):
        return [*union(annotation.left), *union(annotation.right)]
    return [annotation]


def row(name: str, held: dict[str, tuple[str, Keys]]) -> str:
    """One TOML row; a key that left and came back would need two, and there is none."""
    keys = {version: keys for version, (_, keys) in held.items()}
    names = sorted({key for given in keys.values() for key in given})
    since, until = spans({key: [key in given for given in keys.values()] for key in names}, list(held))
    choices: dict[str, list[Any]] = {}
    for key in names:
        having = {version: given[key] for version, given in keys.items() if key in given}
        if f"{name}.{key}" not in PLANNED and all(one.choices for one in having.values()):
            choices[key] = list(dict.fromkeys(word for one in reversed(having.values()) for word in one.choices))
            words = {f"{key}.{word}": [word in one.choices for one in having.values()] for word in choices[key]}
            first, last = spans(words, list(having))
            since, until = since | first, until | last
    newest = list(held)[-1]
    any_case = [key for key in choices if key in keys[newest] and keys[newest][key].any_case]
    lines = ["[[argument]]", f'name = "{name}"', f'source = "vllm/config/{held[newest][0]}"']
    lines += [f"keys = {json.dumps(names)}"]
    columns = (("since", since), ("until", until), ("choices", choices))
    lines += [f"{column} = {inline(given)}" for column, given in columns if given]
    lines += [f"any_case = {json.dumps(any_case)}"] * bool(any_case)
    return "\n".join(lines) + "\n"


def spans(held: dict[str, list[bool]], versions: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """First and last release of each name, where it is not the first or the last of all."""
    since: dict[str, str] = {}
    until: dict[str, str] = {}
    for name, having in held.items():
        first, last = having.index(True), len(having) - 1 - having[::-1].index(True)
        if not all(having[first : last + 1]):
            raise SystemExit(f"{name} left and came back: give the table a second row for it")
        since |= {name: versions[first]} if first else {}
        until |= {name: versions[last]} if last < len(having) - 1 else {}
    return since, until


def inline(given: dict[str, Any]) -> str:
    """An inline table."""
    return "{ " + ", ".join(f"{quoted(key)} = {json.dumps(value)}" for key, value in given.items()) + " }"


def quoted(key: str) -> str:
    """A key of a table, in quotation marks where it is more than a word."""
    return key if key.replace("_", "").isalnum() else json.dumps(key)


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
