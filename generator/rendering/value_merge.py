"""merged_values(): three YAML texts merged by what they say, key by key; the user's words around it stay.

Copier and git merge lines: a comment behind a value that the plan changed, or a key beside it, is a conflict to them.
Here it is none: only a value that both sides changed differently is.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml

from generator.rendering.yaml_text import Entries, Missing, NotMergeableError, delete, entries, insert, replace

Path = tuple[str, ...]


class Decided(NamedTuple):
    """A value that both sides changed, and that the command itself names."""

    key: str
    ours: Any
    theirs: Any


class Merged(NamedTuple):
    """Our text and the base with every change of theirs that meets none of ours, and the names of those that do."""

    ours: str
    base: str
    open: tuple[str, ...]
    decided: tuple[Decided, ...] = ()


def merged_values(base: str, ours: str, theirs: str, named: Mapping[str, Any] | None = None) -> Merged | None:
    """The merge by value; None where a text is no mapping in YAML, or holds what cannot be taken apart.

    Where both sides changed a value and theirs is what the command gives that argument by name, it is theirs.
    What the texts say afterwards is checked: a result that says anything else is none.
    """
    try:
        split = _alike(base, ours, theirs)
        before, mine, their = (entries(text, split) for text in (base, ours, theirs))
        wanted = [path for path in dict.fromkeys([*their, *before]) if _value(before, path) != _value(their, path)]
        both = tuple(path for path in wanted if _value(mine, path) not in (_value(before, path), _value(their, path)))
        said = tuple(path for path in both if path in mine and _is_named(path, their, named or {}))
        both = tuple(path for path in both if path not in said)
        taken = [path for path in wanted if path not in both]
        _refuse_reshaped(mine, their, taken)
        new_ours = _changed(ours, theirs, base, taken, split)
        new_base = _changed(base, theirs, base, [path for path in wanted if path not in both], split)
        expected = {path: one.value for path, one in mine.items() if path not in taken}
        expected |= {path: their[path].value for path in taken if path in their}
        if {path: one.value for path, one in entries(new_ours, split).items()} != expected:
            return None
    except (NotMergeableError, yaml.YAMLError, RecursionError):
        return None
    decided = tuple(Decided(".".join(path), mine[path].value, their[path].value) for path in said)
    return Merged(new_ours, new_base, tuple(".".join(path) for path in both), decided)


def _is_named(path: Path, their: Entries, named: Mapping[str, Any]) -> bool:
    """True where their value of a key is the one that the command gives the argument of that name."""
    name = path[-1].replace("-", "_")
    return path in their and name in named and named[name] == their[path].value


def _alike(*texts: str) -> frozenset[Path]:
    """Lists that are equally long on every side: an item is then the same item everywhere."""
    split: frozenset[Path] = frozenset()
    while True:
        found = [entries(text, split) for text in texts]
        lists = [path for path in found[0] if all(_is_list(side, path) for side in found)]
        more = {path for path in lists if len({len(side[path].value) for side in found}) == 1 and found[0][path].value}
        if not more:
            return split
        split |= more


def _is_list(found: Entries, path: Path) -> bool:
    return path in found and isinstance(found[path].value, list) and found[path].span is None


def _value(found: Entries, path: Path) -> object:
    return found[path].value if path in found else Missing


def _refuse_reshaped(mine: Entries, their: Entries, taken: list[Path]) -> None:
    """Return only where no key is a mapping on one side and a value on the other."""
    for path in taken:
        for depth in range(1, len(path)):
            if path[:depth] in mine or path[:depth] in their:
                raise NotMergeableError


def _changed(text: str, theirs: str, base: str, paths: list[Path], split: frozenset[Path]) -> str:
    """The text with the values, the new keys and the removals of `theirs` at these paths."""
    for path in paths:
        here, there = entries(text, split), entries(theirs, split)
        old, new = here.get(path), there.get(path)
        if (old and old.value) == (new and new.value) and not (old and new and old.span and new.span):
            continue  # the sides agree, and there is no spelling of theirs to take over
        if path not in there:
            text = delete(text, here, path, entries(base, split), base)
        elif path in here:
            text = replace(text, here[path], theirs, there[path])
        else:
            text = insert(text, here, theirs, there, path)
    return text
