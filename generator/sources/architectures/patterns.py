"""Names of modules in quantization lists, made short and independent of tower prefixes."""

import re
from collections import defaultdict
from collections.abc import Iterable

ALL = ("*",)
EXPERT_PATTERNS = ("*.experts*",)
HEADS = ("lm_head", "*.lm_head", "*embed_tokens*")
"""The head and the embedding, which methods of linear layers leave alone."""

_PREFIXES = (
    ("model.language_model.model.", "model."), ("language_model.model.", "model."), ("model.language_model.", "model."),
    ("backbone.", "model."), ("language_model.lm_head", "lm_head"), ("model.lm_head", "lm_head"),
)  # fmt: skip
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$|\*)")
_MERGED = "#"


def module_patterns(names: Iterable[str]) -> tuple[str, ...]:
    """Patterns for the names, prefixes of towers dropped and layer and expert numbers gathered: `{0-3,7}`.

    A plain name also means what lies below it and, as the last words of a name, any module that ends so.
    """
    groups: dict[str, set[tuple[int, ...]]] = defaultdict(set)
    plain: list[str] = []
    for name in names:
        own = _unprefixed(name)
        numbers = tuple(int(word) for word in _NUMBER.findall(own))
        if own.startswith("re:") or not numbers:
            plain.append(own)
        else:
            groups[_NUMBER.sub(_MERGED, own)].add(numbers)
    merged = (pattern for shape, found in groups.items() for pattern in _gathered(shape, found))
    return tuple(dict.fromkeys((*plain, *merged)))


def _unprefixed(name: str) -> str:
    if name.startswith("re:"):
        return name
    for prefix, shorter in _PREFIXES:
        if name.startswith(prefix):
            return shorter + name.removeprefix(prefix)
    return "model." + name if name.startswith("layers.") else name


def _gathered(shape: str, found: set[tuple[int, ...]]) -> Iterable[str]:
    """Patterns that stand for exactly the numbers found: one where they form a full grid, else one a first number."""
    columns = [sorted({numbers[i] for numbers in found}) for i in range(shape.count(_MERGED))]
    size = 1
    for column in columns:
        size *= len(column)
    if size == len(found):
        return (_filled(shape, columns),)
    by_first: dict[int, set[tuple[int, ...]]] = defaultdict(set)
    for numbers in found:
        by_first[numbers[0]].add(numbers[1:])
    tails: dict[frozenset[tuple[int, ...]], list[int]] = defaultdict(list)
    for first, rest in by_first.items():
        tails[frozenset(rest)].append(first)
    return tuple(
        _filled(shape, [firsts, *(sorted({numbers[i] for numbers in rest}) for i in range(len(columns) - 1))])
        for rest, firsts in tails.items()
    )


def _filled(shape: str, columns: list[list[int]]) -> str:
    words = shape.split(_MERGED)
    sets = [_ranges(sorted(column)) for column in columns]
    return "".join(word + (sets[i] if i < len(sets) else "") for i, word in enumerate(words))


def _ranges(numbers: list[int]) -> str:
    """`{0-3,7}`; a lone number stays plain."""
    if len(numbers) == 1:
        return str(numbers[0])
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return "{" + ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs) + "}"
