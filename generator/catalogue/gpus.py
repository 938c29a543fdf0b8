"""GPUs by name, alias or NVML product name: cards of the table, slices and vGPUs of them, one described by hand."""

import re
from collections.abc import Iterable

from generator.catalogue.gpu_table import all_gpus, gpus_by_name, names_by_product, names_by_spelling, names_by_words
from generator.catalogue.gpu_words import BY_HAND, key_of, not_counted, product_of, size_of, words_of
from generator.errors import RequestError, UnknownFactError
from generator.models.capability import VOLTA, Capability
from generator.models.hardware import GPU, Flops
from generator.units import MIB, gib

_SAME_CARD = 0.9
"""ECC, a reserved part and older drivers hide up to 7 % of a card's memory (notes of `gpus.toml`)."""


def parse_capability(text: str) -> Capability:
    """The compute capability of "8.9".

    Raises:
        RequestError: `text` is not "major.minor".
    """
    try:
        return Capability.of(text)
    except ValueError as error:
        raise RequestError(str(error)) from error


def find_gpu(name: str) -> GPU:
    """The GPU whose name, alias or NVML product name is `name`; case, blanks and dashes do not matter.

    A MIG slice (`H100 MIG 1g.10gb`) or a vGPU (`A40-24Q`) is a GPU of its own, derived from the whole card's row.

    Raises:
        UnknownFactError: no row has that spelling; what it is, or the nearest rows, are named.
        RequestError: nothing is spelt, a number without a name, none of a name, or one of several cards.
    """
    _refuse_a_size(name)
    if why := not_counted(name):
        raise RequestError(why)
    if not key_of(name):
        raise RequestError(f"no GPU named; name one of the tables with --gpu, like L40S, {BY_HAND}")
    names = _rows_named(name)
    if not names:
        return _divided(name)
    if len(names) > 1:
        raise RequestError(f"{name!r} was sold with different memory; choose {' or '.join(names)}")
    return gpus_by_name()[names[0]]


def _rows_named(name: str) -> list[str]:
    """Rows with that spelling: one, several of one NVML name, or none."""
    own = names_by_spelling().get(key_of(name))
    by_driver, product = names_by_product(), product_of(name)
    products = by_driver.get(product) or by_driver.get(f"nvidia-{product}", [])
    if own and len(products) < 2:  # noqa: PLR2004 - an NVML name of several cards
        return [own]
    other = names_by_words().get(words_of(name)) or _beside_its_size(name)
    return products or ([other] if other else [])


def _beside_its_size(name: str) -> str:
    """The row of `3090ti 24g`: a spelling of it and its own size; empty where there is none."""
    words = words_of(name)
    for size in (word for word in words if size_of(word)):
        rest = "".join(word for word in re.split(r"[\s_-]+", name.casefold()) if key_of(word) != size)
        own = names_by_spelling().get(key_of(rest), "")
        if own.casefold().endswith(f"-{size}"):
            return own
    return ""


def without_speed(gpu: GPU, memory_bytes: int) -> GPU:
    """The GPU with another memory; with no figures of speed where it is not the whole card's."""
    if _likeness(gpu.memory_bytes, memory_bytes) >= _SAME_CARD:
        return gpu.model_copy(update={"memory_bytes": memory_bytes})
    none = {"bandwidth_bytes_per_s": None, "flops": Flops()}
    return gpu.model_copy(update={"memory_bytes": memory_bytes, **none})


def gpus_of(size_gb: float) -> tuple[GPU, ...]:
    """The GPUs of the table with about this much memory, as sold or as NVML counts it, in its order."""
    return tuple(one for one in all_gpus() if _likeness(one.memory_bytes, gib(size_gb)) >= _SAME_CARD)


def gpu_by_nvml(product_name: str, memory_bytes: int | None) -> GPU:
    """The GPU that NVML calls `product_name`, with the memory that NVML reports for this one.

    Cards that share a product name are told apart by memory. `memory_bytes` is None where NVML has no figure
    (unified memory): then the table's total stands.

    Raises:
        UnknownFactError: no row has that product name, or none of a similar memory.
    """
    cards = _cards_of(product_name)
    if memory_bytes is None:
        return cards[0]
    best = max(cards, key=lambda card: _likeness(card.memory_bytes, memory_bytes))
    if _likeness(best.memory_bytes, memory_bytes) < _SAME_CARD:
        raise UnknownFactError(
            f"the driver reports {memory_bytes // MIB} MiB for {product_name!r}; "
            f"the table has {_sizes(cards)}; {BY_HAND}"
        )
    return best.model_copy(update={"memory_bytes": memory_bytes})


def _cards_of(product_name: str) -> list[GPU]:
    """Rows of one product name of NVML, or the slice or vGPU that it names.

    Raises:
        UnknownFactError: there is none.
    """
    names = names_by_product().get(product_of(product_name), [])
    if names:
        return [gpus_by_name()[name] for name in names]
    return [_divided(product_name, by_driver=True)]


def _divided(name: str, *, by_driver: bool = False) -> GPU:
    """The slice or vGPU of that name.

    Raises:
        UnknownFactError: there is none; what it is, or the nearest rows, are named.
    """
    from generator.catalogue.gpu_unknown import nearest_words, unknown  # noqa: PLC0415 - start-up time
    from generator.catalogue.slices import slice_named, vgpu_named  # noqa: PLC0415 - start-up time

    found = slice_named(name) or vgpu_named(name)
    if found is not None:
        return found
    if by_driver:
        raise UnknownFactError(f"unknown GPU {name!r} (the driver's name){nearest_words(name)}; {BY_HAND}")
    raise UnknownFactError(unknown(name))


def custom_gpu(vram_gb: float, capability: str) -> GPU:
    """A GPU of the user's own description: memory in GiB and compute capability, nothing else known.

    Raises:
        RequestError: the capability is not "major.minor", or older than any that vLLM is built for.
    """
    built = parse_capability(capability)
    if built < VOLTA:
        raise RequestError(f"vLLM is built for compute capability {VOLTA.words} and newer, not {capability}")
    return GPU(
        name=f"custom-{vram_gb:g}GiB",
        memory_bytes=gib(vram_gb),
        capability=built,
        source="given by hand (--vram-gb, --capability)",
    )


def _refuse_a_size(name: str) -> None:
    """Return only where `name` is more than a size of memory.

    Raises:
        RequestError: several GPUs have it, or none.
    """
    size = size_of(name)
    if size is not None:
        held = ", ".join(one.name for one in gpus_of(size))
        which = f"choose of {held}" if held else "no GPU of the table has that much"
        raise RequestError(f"{name.strip()} is no GPU but a size of memory: {which}, {BY_HAND}")


def _likeness(one: int, other: int) -> float:
    return min(one, other) / max(one, other)


def _sizes(cards: Iterable[GPU]) -> str:
    return ", ".join(f"{card.name} {card.memory_bytes // MIB} MiB" for card in cards)
