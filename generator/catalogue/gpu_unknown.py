"""What is said of a name that is no row of the table: what it is (`accelerators.toml`), or rows spelt alike."""

import re
from difflib import get_close_matches
from typing import Annotated

from pydantic import Field

from generator.catalogue.gpu_table import (
    all_gpus,
    gpus_by_name,
    names_by_product,
    names_by_spelling,
    names_by_words,
)
from generator.catalogue.gpu_words import BY_HAND, counted, dashed, key_of, product_of, size_of, words_of
from generator.catalogue.loader import Row, Source, packaged_rows
from generator.models.hardware import GPU
from generator.units import GIB

_MAKERS = re.compile(r"^(?:(?:amd|instinct|radeon|intel|habana)-)+(?=.)")


class AcceleratorRow(Row):
    """What is said of every name that a pattern matches."""

    name: str
    pattern: Annotated[str, Field(min_length=1)]
    answer: Annotated[str, Field(min_length=1)]
    source: Source


def all_accelerators() -> tuple[AcceleratorRow, ...]:
    """Every row of the table, in the order in which names are compared with them."""
    return packaged_rows("accelerators.toml", "accelerator", AcceleratorRow)


def accelerator_named(name: str) -> AcceleratorRow | None:
    """The row that speaks of this name; None where none does."""
    words = _MAKERS.sub("", dashed(name))
    return next((row for row in all_accelerators() if re.fullmatch(row.pattern, words)), None)


_BETWEEN = re.compile(r"[,+&/]|\s(?:and|und|et|plus)\s", re.IGNORECASE)
"""What stands between the names of several GPUs."""
_OTHER_MAKERS = re.compile(r"(amd|instinct|radeon|intel|google|huawei)-")
"""Beginnings, as `product_of` makes them, of names of what is not NVIDIA's."""
_ALIKE = 0.6
"""Likeness of two spellings under which naming one for the other misleads."""
_SHORT, _ALIKE_SHORT = 2, 0.5
"""Letters of a name as short as L4, and the likeness of two of them with one letter in common."""
_NUMBER = re.compile(r"\d{4,}")
"""A product's number: a card with another one is another product, however alike the two are spelt."""


def unknown(name: str) -> str:
    """Why no row has the spelling, in one sentence: what is no GPU of one kind is called by its name."""
    known = accelerator_named(name)
    if known is not None:
        return f"{name!r} {known.answer}"
    kinds = [counted(part)[1] for part in _BETWEEN.split(name) if part.strip()]
    if len(kinds) > 1:
        return _several(name, kinds)
    if other := _of_another_size(name):
        return f"{name!r}: the table has {other}; for a card with another memory write --gpu {other} --vram-gb N"
    if _OTHER_MAKERS.match(product_of(name)):
        return (
            f"{name!r} is no GPU of NVIDIA: of other makers, AMD's MI300X, MI325X, MI350X and MI355X are planned, on "
            "vLLM's ROCm build"
        )
    return f"unknown GPU {name!r}{nearest_words(name)}; {BY_HAND}"


def _several(name: str, kinds: list[str]) -> str:
    """Why GPUs of several kinds are no one server here, what to plan instead, and what it would take."""
    rows = [gpus_by_name().get(names_by_spelling().get(key_of(kind), "")) for kind in kinds]
    known = [row for row in rows if row is not None]
    smallest = min(known, key=_by_size).name if len(known) == len(rows) else "the smaller one"
    return (
        f"{name!r} names {len(kinds)} kinds of GPU: vLLM divides a server's tensors evenly and takes the fewest cache "
        f"blocks of all its ranks, so that the smaller GPU bounds the other, and a plan proves one kind; plan with "
        f"{smallest} for all of them, or a server for each kind (`fit --gpu A,B` compares them). To plan the pair it "
        "would take a budget for each rank, and published runs of such servers"
    )


def _of_another_size(name: str) -> str:
    """The row whose spelling the name is but for a size of memory; empty where there is none."""
    sizes = {word for word in words_of(name) if size_of(word)}
    return names_by_words().get(words_of(name) - sizes, "") if sizes else ""


def _by_size(gpu: GPU) -> tuple[int, int]:
    """Its memory in whole GiB, then its bandwidth."""
    return round(gpu.memory_bytes / GIB), gpu.bandwidth_bytes_per_s or 0


def nearest_words(name: str) -> str:
    """The rows to suggest for a spelling, as the end of a sentence."""
    near = _nearest(name)
    return f"; nearest: {', '.join(near)}" if near else ", and none is spelt alike: `vllm-wizard gpus` lists the table"


def _nearest(name: str) -> list[str]:
    """At most four rows to suggest: those of the same product in another size first, then by spelling; none far off."""
    typed, compact = dashed(name), key_of(name)
    known = names_by_spelling() | {key_of(product): names[0] for product, names in names_by_product().items()}
    alike = _ALIKE if len(compact) > _SHORT else _ALIKE_SHORT
    numbers = set(_NUMBER.findall(compact))
    same = {spelling: row for spelling, row in known.items() if numbers <= set(_NUMBER.findall(spelling))}
    close = get_close_matches(compact, same, n=len(same) or 1, cutoff=alike)
    beginnings = (f"{typed}-", f"rtx-{typed}-")
    same_product = [gpu.name for gpu in all_gpus() if gpu.name.casefold().startswith(beginnings)]
    return same_product[:4] or list(dict.fromkeys(same[spelling] for spelling in close))[:3]
