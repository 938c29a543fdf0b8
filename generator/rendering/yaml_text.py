"""A YAML mapping as text: where each value stands, and how one is replaced, inserted or removed; nothing else moves."""

from typing import Any, NamedTuple

import yaml

from generator.sources import plain_yaml


class NotMergeableError(ValueError):
    """The text is no YAML mapping, or holds what cannot be taken apart line by line."""


class Missing:
    """In the place of a value that a side does not have."""


class TextEntry(NamedTuple):
    """One value of a mapping, however deep: what it is and where it stands."""

    value: Any
    first: int
    """Line of its key, from 0."""
    last: int
    """Its last line."""
    column: int
    """Column of its key."""
    span: tuple[int, int] | None
    """Start and end of a value within one line; None for one over several lines, and for an alias."""


Entries = dict[tuple[str, ...], TextEntry]


def entries(text: str, split: frozenset[tuple[str, ...]] = frozenset()) -> Entries:
    """Every value that is no mapping, by the keys that lead to it, in the order of the text; lists in `split` by item.

    Raises:
        NotMergeableError: the text is no mapping in YAML, or no plain one.
    """
    try:
        root = plain_yaml.compose(text.encode(), loader=yaml.SafeLoader)
    except (plain_yaml.NotPlainError, UnicodeEncodeError) as error:
        raise NotMergeableError from error
    if not isinstance(root, yaml.MappingNode) or "\t" in text or "\r" in text:
        raise NotMergeableError
    return _Reader(split).read(root)


def replace(text: str, old: TextEntry, theirs: str, new: TextEntry) -> str:
    """The text with one value in the place of another; what stands behind it in the line stays.

    Raises:
        NotMergeableError: they are not of one shape.
    """
    if old.span and new.span:
        return text[: old.span[0]] + theirs[slice(*new.span)] + text[old.span[1] :]
    if old.span or new.span or old.column != new.column:
        raise NotMergeableError
    lines = text.splitlines(keepends=True)
    if any("#" in line for line in lines[old.first : old.last + 1]):
        raise NotMergeableError  # a comment inside would be lost
    lines[old.first : old.last + 1] = theirs.splitlines(keepends=True)[new.first : new.last + 1]
    return "".join(lines)


def insert(text: str, here: Entries, theirs: str, there: Entries, path: tuple[str, ...]) -> str:
    """The text with a new key of theirs, and the comment above it, behind the key that it follows there.

    Raises:
        NotMergeableError: nothing that it follows is here, or it opens a mapping that is not.
    """
    order = [one for one in there if one[:-1] == path[:-1]]
    before = order[: order.index(path)]
    near = next((one for one in reversed(before) if one in here), None)
    new = there[path]
    if near is None or here[near].column != new.column or new.first == here[near].first == 0:
        raise NotMergeableError
    source = theirs.splitlines(keepends=True)
    start = max(_top(source, new.first), there[before[-1]].last + 1)
    lines = text.splitlines(keepends=True)
    if not lines[here[near].last].endswith("\n"):
        lines[here[near].last] += "\n"
    lines[here[near].last + 1 : here[near].last + 1] = source[start : new.last + 1]
    return "".join(lines)


def delete(text: str, here: Entries, path: tuple[str, ...], before: Entries, base: str) -> str:
    """The text without a key, and without the comment above it where that is the template's own.

    Raises:
        NotMergeableError: it shares its line with others.
    """
    old, lines = here[path], text.splitlines(keepends=True)
    shared = [one for name, one in here.items() if name != path and one.last >= old.first and one.first <= old.last]
    alone = len([one for one in here if one[:-1] == path[:-1]]) > 1
    if shared or not alone or "#" in "".join(lines[old.first : old.last + 1]):
        raise NotMergeableError
    top, known = _top(lines, old.first), base.splitlines(keepends=True)
    theirs = known[_top(known, before[path].first) : before[path].first] if path in before else []
    start = top if lines[top : old.first] == theirs else old.first
    return "".join(lines[:start] + lines[old.last + 1 :])


def _top(lines: list[str], line: int) -> int:
    """The first line of the comment and the empty lines above a key."""
    top = line
    while top and (not lines[top - 1].strip() or lines[top - 1].lstrip().startswith("#")):
        top -= 1
    return top


class _Reader:
    """The entries of one text, gathered from its nodes."""

    def __init__(self, split: frozenset[tuple[str, ...]]) -> None:
        self.found: Entries = {}
        self._split = split
        self._seen: set[int] = set()

    def read(self, node: yaml.MappingNode, above: tuple[str, ...] = ()) -> Entries:
        """The entries below a mapping."""
        for key, value in node.value:
            self._add(value, (*above, str(key.value)), key.start_mark)
        return self.found

    def _add(self, value: yaml.Node, path: tuple[str, ...], start: Any) -> None:
        """Add what a key, or an item of a list, holds."""
        if id(value) in self._seen:  # an alias: where it stands, nobody says, but it is one word in the key's line
            self.found[path] = TextEntry(plain_yaml.value_of(value), start.line, start.line, start.column, None)
            return
        self._seen.add(id(value))
        if isinstance(value, yaml.MappingNode) and value.value and not value.flow_style:
            self.read(value, path)
            return
        if isinstance(value, yaml.SequenceNode) and path in self._split:
            for index, item in enumerate(value.value):
                self._add(item, (*path, f"[{index}]"), item.start_mark)
            return
        whole = value.start_mark.line == value.end_mark.line and not _is_block(value)
        span = (value.start_mark.index, value.end_mark.index) if whole else None
        self.found[path] = TextEntry(plain_yaml.value_of(value), start.line, _last_line(value), start.column, span)


def _is_block(node: yaml.Node) -> bool:
    if isinstance(node, yaml.ScalarNode):
        return node.style in ("|", ">")
    return isinstance(node, yaml.CollectionNode) and not node.flow_style


def _last_line(node: yaml.Node) -> int:
    """The last line of a value; a block's own end mark lies behind the comments that follow it."""
    if isinstance(node, yaml.SequenceNode) and node.value and not node.flow_style:
        return _last_line(node.value[-1])
    if isinstance(node, yaml.MappingNode) and node.value and not node.flow_style:
        return _last_line(node.value[-1][1])
    at_start = node.end_mark.column == 0 and node.end_mark.line > node.start_mark.line
    return int(node.end_mark.line - 1 if at_start else node.end_mark.line)
