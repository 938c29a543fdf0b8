"""Write generator/catalogue/classes.toml from vLLM's own trees.

    python .github/scripts/write_classes.py tree-0.19.1 ... tree-0.33.0

Each tree is the unpacked wheel of one release (`pip download --no-deps vllm==0.33.0`, its .py files). The registry
names the classes; what a class can do is read from its bases and its body. vLLM is read and never run.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from class_tree import MODELS, Tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from class_tree import Defined

TABLE = Path(__file__).parents[2] / "generator" / "catalogue" / "classes.toml"
HEADER = """\
# vLLM's model classes, one row a name that config.json's `architectures` can hold.
# Written by .github/scripts/write_classes.py from the trees of {first} to {last}; do not edit.
#
# name           as config.json's `architectures` has it
# task           generate, embed, classify or draft: the registry's own list (model_executor/models/registry.py)
# releases       releases whose registry has it: "all" those of this package, "0.23.0.." that one and newer
# gone_after     last release that served it, by that registry's _PREVIOUSLY_SUPPORTED_MODELS
# has            what it can do in each of them; a column of the name where it could not in all:
#   stages          pipeline stages: SupportsPP
#   lora            adapters: SupportsLoRA
#   gives_states    states of its layers for a draft: SupportsEagle3
#   relays_states   those states from stage to stage: supports_aux_hidden_states_over_pp
#   whole_encoders  mm_encoder_tp_mode `data`: supports_encoder_tp_data
# adapted_ends   what adapters may change outside the layers: embedding, head (embedding_modules)

"""
TASKS = {
    "_TEXT_GENERATION_MODELS": "generate", "_MULTIMODAL_MODELS": "generate", "_EMBEDDING_MODELS": "embed",
    "_LATE_INTERACTION_MODELS": "embed", "_REWARD_MODELS": "embed", "_TOKEN_CLASSIFICATION_MODELS": "classify",
    "_SEQUENCE_CLASSIFICATION_MODELS": "classify", "_SPECULATIVE_DECODING_MODELS": "draft",
    "_TRANSFORMERS_SUPPORTED_MODELS": "generate",
}  # fmt: skip
"""Lists of the registry, the first that has a name decides; those of Transformers' own modelling are no row."""
RELAYS = "supports_aux_hidden_states_over_pp"
COLUMNS = ("stages", "lora", "gives_states", "relays_states", "whole_encoders")
ENDS = {"embedding": ("embed", "wte"), "head": ("head",)}
"""Parts of the names under `embedding_modules`, by what adapters may change."""

Row = dict[str, Any]
Registry = dict[str, tuple[str, str, str]]
"""Task, module and class by name."""


def main(trees: list[Path]) -> None:
    """Write the table from unpacked releases."""
    read = sorted(map(release, trees), key=lambda one: order(one[0]))
    versions = [version for version, _, _ in read]
    found = {version: rows for version, rows, _ in read}
    gone = {name: last for _, _, lasts in read for name, last in lasts.items()}
    names = sorted({*gone, *(name for rows in found.values() for name in rows)})
    lines = [text(name, {version: found[version].get(name) for version in versions}, gone.get(name)) for name in names]
    TABLE.write_text(HEADER.format(first=versions[0], last=versions[-1]) + "\n".join(lines), encoding="utf-8")
    print(f"{len(names)} classes of {len(versions)} releases, {TABLE.stat().st_size} bytes")


def release(root: Path) -> tuple[str, dict[str, Row], dict[str, str]]:
    """Version, classes by name, and last releases by name of one tree, which is not kept."""
    tree = Tree(root)
    registry = registered(tree)
    rows = {name: row_of(tree, registry, name) for name in registry}
    return tree.version, rows, previously(tree)


def row_of(tree: Tree, registry: Registry, name: str) -> Row:
    """What one class can do."""
    task, module, built = registry[name]
    defined = tree.find(module, built)
    if defined is None:
        raise SystemExit(f"{tree.version}: {name} is built of {module}.{built}, which is not found")
    line = tree.lineage(defined)
    bases = {one.node.name for one in line}
    return {
        "task": task,
        "stages": has_stages(line),
        "lora": "SupportsLoRA" in bases,
        "gives_states": "SupportsEagle3" in bases,
        "relays_states": relays(tree, registry, line),
        "whole_encoders": attribute(line, "supports_encoder_tp_data") == "True",
        "adapted_ends": ends(tree, line) if "SupportsLoRA" in bases else (),
    }


def registered(tree: Tree) -> Registry:
    """Task, module and class by name of the registry."""
    registry = tree.module(f"{MODELS}.registry")
    found: Registry = {}
    for variable, task in TASKS.items():
        for name, module, built in entries(registry.values, variable):  # type: ignore[union-attr]
            found.setdefault(name, (task, dotted_name(module), built))
    return found


def entries(values: dict[str, ast.expr], variable: str) -> Iterator[tuple[str, str, str]]:
    """Name, module and class of each entry of one of the registry's lists; one that another list fills is there."""
    listed = values.get(variable)
    if not isinstance(listed, ast.Dict):
        raise SystemExit(f"the registry has no list {variable}")
    for key, value in zip(listed.keys, listed.values, strict=True):
        if isinstance(key, ast.Constant):
            module, built = ast.literal_eval(value)
            yield str(key.value), module, built


def previously(tree: Tree) -> dict[str, str]:
    """The last release that had a class, by name, of those that the registry says it has no longer."""
    registry = tree.module(f"{MODELS}.registry")
    listed = registry.values.get("_PREVIOUSLY_SUPPORTED_MODELS")  # type: ignore[union-attr]
    return dict(ast.literal_eval(listed)) if listed is not None else {}


def attribute(line: list[Defined], name: str) -> str:
    """The source of a class attribute, the nearest; "" where there is none."""
    for one in line:
        for statement in one.node.body:
            target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
            if isinstance(target, ast.Name) and target.id == name and getattr(statement, "value", None) is not None:
                return ast.unparse(statement.value)  # type: ignore[attr-defined]
    return ""


def method(line: list[Defined], name: str) -> ast.FunctionDef | None:
    """The nearest definition of a method that is not an interface's."""
    for one in line:
        if ".interfaces" not in one.module:
            for statement in one.node.body:
                if isinstance(statement, ast.FunctionDef) and statement.name == name:
                    return statement
    return None


def has_stages(line: list[Defined]) -> bool:
    """Whether vLLM's `supports_pp` says so: the interface, and a forward pass that takes another stage's states."""
    forward = method(line, "forward")
    if forward is None or not any(one.node.name == "SupportsPP" for one in line):
        return False
    given = (*forward.args.args, *forward.args.kwonlyargs)
    return forward.args.kwarg is not None or any(one.arg == "intermediate_tensors" for one in given)


def ends(tree: Tree, line: list[Defined]) -> tuple[str, ...]:
    """What adapters may change outside the layers, in the order embedding, head."""
    one = next((one for one in line if attribute([one], "embedding_modules")), None)
    if one is None:
        return ()
    value = ast.parse(attribute([one], "embedding_modules"), mode="eval").body
    if isinstance(value, ast.Attribute):
        other = tree.expression(one.module, value.value)
        return ends(tree, tree.lineage(other)) if other else ()
    held = tree.module(one.module)
    if isinstance(value, ast.Name) and held is not None:
        value = held.values[value.id]
    named = " ".join(ast.literal_eval(value))
    return tuple(word for word, parts in ENDS.items() if any(part in named for part in parts))


def relays(tree: Tree, registry: Registry, line: list[Defined]) -> bool:
    """Whether the decoder inside hands states from stage to stage (v1/worker/gpu/spec_decode/eagle/eagle3_utils.py)."""
    for part in ("language_model", "model"):
        inner = tree.held(line, part)
        if isinstance(inner, str):
            _, module, built = registry[inner]
            inner = tree.find(module, built)
        if inner is not None:
            own = tree.lineage(inner)
            return relays(tree, registry, own) if part == "language_model" else attribute(own, RELAYS) == "True"
    return False


def dotted_name(module: str) -> str:
    """The registry's module with the packages above it."""
    return module if module.startswith("vllm.") else f"{MODELS}.{module}"


def text(name: str, held: dict[str, Row | None], gone: str | None) -> str:
    """One TOML row."""
    newest = next((row for row in reversed(held.values()) if row), {})
    inside = [row is not None for row in held.values()]
    having = {column: [bool(row and row[column]) for row in held.values()] for column in COLUMNS}
    always = [column for column in COLUMNS if newest and having[column] == inside]
    lines = ["[[class]]", f'name = "{name}"']
    if newest:
        lines += [f'task = "{newest["task"]}"', f'releases = "{releases(inside, list(held))}"']
    lines += [f'gone_after = "{gone}"'] * (gone is not None)
    lines += [f"has = {json.dumps(always)}"] * bool(always)
    for column in COLUMNS:
        lines += [f'{column} = "{releases(having[column], list(held))}"'] * (
            any(having[column]) and column not in always
        )
    if newest.get("adapted_ends"):
        lines.append(f"adapted_ends = {json.dumps(newest['adapted_ends'])}")
    return "\n".join(lines) + "\n"


def releases(having: list[bool], versions: list[str]) -> str:
    """The releases as words, one for each unbroken run."""
    runs: list[tuple[int, int]] = []
    for number, has in enumerate(having):
        if has and runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        elif has:
            runs.append((number, number))
    if runs == [(0, len(versions) - 1)]:
        return "all"
    return " ".join(run(first, last, versions) for first, last in runs)


def run(first: int, last: int, versions: list[str]) -> str:
    """One unbroken run of releases, open where it reaches the oldest or the newest."""
    newest = len(versions) - 1
    return f"{versions[first] if first else ''}..{versions[last] if last < newest else ''}"


def order(version: str) -> tuple[int, ...]:
    """A version as numbers that sort."""
    return tuple(map(int, version.split(".")))


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
