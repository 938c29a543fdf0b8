"""YAML of which only what JSON has is taken: no bombs, no dates, no sixty minutes to the hour, no key twice."""

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe YAML loader, libyaml's where it is there."""
MOST_BYTES = 2 * 1024**2
_MOST_VALUES, _DEEPEST = 50_000, 64
_PREFIX = "tag:yaml.org,2002:"
_KINDS = frozenset(f"{_PREFIX}{kind}" for kind in ("str", "int", "float", "bool", "null", "seq", "map"))
_MERGE = f"{_PREFIX}merge"
_DECIMAL = {
    f"{_PREFIX}int": re.compile(r"[-+]?(0|[1-9][0-9_]*)"),
    f"{_PREFIX}float": re.compile(r"[-+]?([0-9][0-9_]*)?\.?[0-9_]*([eE][-+]?[0-9]+)?"),
}


class NotPlainError(ValueError):
    """The text is no YAML, or more than plain values; `line` counts from 1, and is 0 where there is none."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {reason}" if line else reason)
        self.reason = reason
        self.line = line


def load(text: bytes) -> Any:
    """The value of one YAML document.

    Raises:
        NotPlainError: it is none, or holds more than JSON can.
    """
    root = compose(text)
    return None if root is None else value_of(root)


def compose(text: bytes, loader: Any = LOADER) -> yaml.Node | None:
    """The nodes of one YAML document, few enough and plain; None for an empty one.

    Raises:
        NotPlainError: as `load`.
    """
    if len(text) > MOST_BYTES:
        raise NotPlainError(f"has {len(text):,} bytes, more than {MOST_BYTES:,}")
    try:
        decoded = text.decode("utf-8-sig")
        _refuse_deep(decoded)
        root: yaml.Node | None = yaml.compose(decoded, Loader=loader)
    except UnicodeDecodeError as error:
        raise NotPlainError("is not UTF-8 text") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        why = getattr(error, "problem", None) or getattr(error, "reason", None) or "a character that is none"
        raise NotPlainError(f"not valid YAML: {why}", mark.line + 1 if mark else 0) from error
    if root is not None:
        _size(root, {}, frozenset())
    return root


def value_of(node: yaml.Node) -> Any:
    """The value of a node that `compose` gave.

    Raises:
        NotPlainError: a number is out of what numbers can be.
    """
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node, deep=True)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        why = getattr(error, "problem", None) or error
        raise NotPlainError(str(why), node.start_mark.line + 1) from error
    finally:
        loader.dispose()


def _refuse_deep(text: str) -> None:
    """Return only where nothing nests so deep that reading it would end the process."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=LOADER)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST or count > 2 * _MOST_VALUES:
            what = f"nests deeper than {_DEEPEST}" if depth > _DEEPEST else f"has more than {_MOST_VALUES:,} values"
            raise NotPlainError(what, event.start_mark.line + 1 if event.start_mark else 0)


def _size(node: yaml.Node, known: dict[int, int], above: frozenset[int]) -> int:
    """Values that a node makes with every alias written out.

    Raises:
        NotPlainError: they are too many, or one is not plain.
    """
    if id(node) in known:
        return known[id(node)]
    line = node.start_mark.line + 1
    if id(node) in above:
        raise NotPlainError("an alias holds itself", line)
    if node.tag not in _KINDS:
        kind = node.tag.removeprefix(_PREFIX)
        raise NotPlainError(f"{_shown(node)} is a {kind} in YAML: write it in quotes", line)
    _refuse_number(node, line)
    size = 1 + sum(_size(child, known, above | {id(node)}) for child in _children(node))
    if size > _MOST_VALUES:
        raise NotPlainError(f"has more than {_MOST_VALUES:,} values, its aliases written out", line)
    known[id(node)] = size
    return size


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.tag != _MERGE:
                _refuse_key(key, seen)
                seen.add(key.value)
            yield value


def _refuse_key(key: yaml.Node, seen: set[str]) -> None:
    line = key.start_mark.line + 1
    if not isinstance(key, yaml.ScalarNode):
        raise NotPlainError("a key must be a word, not a list or a mapping", line)
    if key.tag != f"{_PREFIX}str":
        raise NotPlainError(f"the key {_shown(key)} is no text in YAML: write it in quotes", line)
    if key.value in seen:
        raise NotPlainError(f"{_shown(key)} is stated twice: keep one", line)


def _refuse_number(node: yaml.Node, line: int) -> None:
    decimal = _DECIMAL.get(node.tag)
    if decimal is None:
        return
    text = str(node.value)
    plain = decimal.fullmatch(text) and len(text) <= 40  # noqa: PLR2004 - more digits than any figure of ours
    if not plain or not math.isfinite(float(text.replace("_", ""))):
        raise NotPlainError(f"{_shown(node)} is read as another number in YAML: write a plain decimal", line)


def _shown(node: yaml.Node) -> str:
    text = str(node.value) if isinstance(node, yaml.ScalarNode) else "a value"
    return text if len(text) <= 40 else f"{text[:40]}..."  # noqa: PLR2004 - enough to find it
