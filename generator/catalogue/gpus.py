"""GPUs by name, alias or NVML product name; the figures are `gpus.toml`'s."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from generator.catalogue.gpu_words import size_of
from generator.catalogue.loader import Row, Source, Words, packaged_rows, table, unique
from generator.errors import RequestError, UnknownFactError
from generator.models.capability import VOLTA, Capability
from generator.models.hardware import GPU, Flops, MemoryKind
from generator.units import MIB, gib

if TYPE_CHECKING:
    from collections.abc import Iterable

_FILE = "gpus.toml"
_SAME_CARD = 0.9
"""ECC, a reserved part and older drivers hide up to 7 % of a card's memory (notes of `gpus.toml`)."""
_SLICE = re.compile(r"\bmig\b|\b\d+g\.\d+gb\b")
_OTHER_MAKERS = re.compile(
    r"(amd|instinct|radeon|rx-\d|mi\d{2,3}|gfx\d|intel|gaudi|arc-|tpu|trainium|inferentia|ascend)"
)
"""Spellings, as `_product` makes them, of slices and of accelerators that are not NVIDIA's."""
_ALIKE = 0.6
"""Likeness of two spellings under which naming one for the other misleads."""
_SHORT, _ALIKE_SHORT = 2, 0.5
"""Letters of a name as short as L4, and the likeness of two of them with one letter in common."""
_MAKERS = frozenset({"nvidia", "geforce", "tesla", "quadro"})
"""Words of a product's name that tell no two rows apart."""
_BY_HAND = "or describe it: --gpu custom --vram-gb N --capability X.Y"

Positive = Annotated[float, Field(gt=0)]


class GPURow(Row):
    """One row of `gpus.toml`, in the units that its sources print."""

    name: str
    aliases: Words = ()
    nvml_names: Words
    memory_mib: Annotated[int, Field(gt=0)]
    capability: Annotated[str, Field(pattern=r"^\d{1,2}\.\d$")]
    bandwidth_gb_per_s: Positive | None = None
    bf16_tflops: Positive | None = None
    fp16_tflops: Positive | None = None
    fp8_tflops: Positive | None = None
    int8_tops: Positive | None = None
    fp4_tflops: Positive | None = None
    nvlink_gb_per_s: Positive | None = None
    nvlink_bridge: bool = False
    pcie_generation: int | None = None
    board_power_w: Annotated[int, Field(gt=0)] | None = None
    power_source: Source | None = None
    memory: MemoryKind
    memory_source: Source
    spec_source: Source
    note: Source | None = None

    @property
    def gpu(self) -> GPU:
        """The row in bytes, bytes per second and FLOP/s."""
        return GPU(
            name=self.name,
            nvml_names=self.nvml_names,
            memory_bytes=self.memory_mib * MIB,
            capability=parse_capability(self.capability),
            bandwidth_bytes_per_s=_scaled(self.bandwidth_gb_per_s, 10**9),
            flops=Flops(
                bf16=_scaled(self.bf16_tflops, 10**12),
                fp16=_scaled(self.fp16_tflops, 10**12),
                fp8=_scaled(self.fp8_tflops, 10**12),
                int8=_scaled(self.int8_tops, 10**12),
                fp4=_scaled(self.fp4_tflops, 10**12),
            ),
            nvlink_bytes_per_s=_scaled(self.nvlink_gb_per_s, 10**9),
            nvlink_bridge=self.nvlink_bridge,
            pcie_generation=self.pcie_generation,
            board_power_w=self.board_power_w,
            memory_kind=self.memory,
            unified_memory=self.memory == "unified",
            source=f"memory: {self.memory_source}; figures: {self.spec_source}",
        )


def parse_capability(text: str) -> Capability:
    """The compute capability of "8.9".

    Raises:
        RequestError: `text` is not "major.minor".
    """
    try:
        return Capability.of(text)
    except ValueError as error:
        raise RequestError(str(error)) from error


@cache
def all_gpus() -> tuple[GPU, ...]:
    """Every GPU of the table, in its order."""
    return tuple(row.gpu for row in _rows())


def find_gpu(name: str) -> GPU:
    """The GPU whose name, alias or NVML product name is `name`; case, blanks and dashes do not matter.

    Raises:
        UnknownFactError: no row has that spelling; the nearest three are named.
        RequestError: nothing is spelt, or the spelling is an NVML name of cards with different memory.
    """
    _refuse_a_size(name)
    key = _key(name)
    own = _spellings().get(key)
    products = _names_by_nvml().get(_product(name), [])
    names = [own] if own and len(products) < 2 else products  # noqa: PLR2004 - an NVML name of several cards
    if not key:
        raise RequestError(f"no GPU named; name one of the tables with --gpu, like L40S, {_BY_HAND}")
    if not names:
        raise UnknownFactError(_unknown(name))
    if len(names) > 1:
        raise RequestError(f"{name!r} was sold with different memory; choose {' or '.join(names)}")
    return _by_name()[names[0]]


def _unknown(name: str) -> str:
    """Why no row has the spelling, in one sentence: what is no GPU of one kind is called by its name."""
    key = _product(name)
    if _SLICE.search(key):
        return (
            f"{name!r} is a slice of a GPU (MIG), whose share of the speed no table has: plan its memory, as "
            f"nvidia-smi prints it, with --gpu {_whole(key)} --vram-gb N"
        )
    if _OTHER_MAKERS.match(key):
        return (
            f"{name!r} is no GPU of NVIDIA: vllm-wizard plans for vLLM's CUDA builds; AMD, Intel and other makers are "
            "not covered"
        )
    if parts := [part for part in re.split(r"[,+]", name) if part.strip()][1:]:
        return (
            f"{name!r} names {len(parts) + 1} kinds of GPU: one server is planned on GPUs of one kind; plan with the "
            "smaller one for all, which then bounds memory and speed, or one server for each kind"
        )
    return f"unknown GPU {name!r}{_nearest_words(name)}; {_BY_HAND}"


def _whole(key: str) -> str:
    """The GPU that a slice's name begins with, as it is called here."""
    words = key.partition("-mig")[0]
    names = _names_by_nvml().get(words) or [_spellings().get(_key(words), "")]
    return next(filter(None, (*names, *_nearest(words))), words)


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
    names = _names_by_nvml().get(_product(product_name), [])
    if not names:
        near = _nearest_words(product_name)
        raise UnknownFactError(f"unknown GPU {product_name!r} (the driver's name){near}; {_BY_HAND}")
    cards = [_by_name()[name] for name in names]
    if memory_bytes is None:
        return cards[0]
    best = max(cards, key=lambda card: _likeness(card.memory_bytes, memory_bytes))
    if _likeness(best.memory_bytes, memory_bytes) < _SAME_CARD:
        raise UnknownFactError(
            f"the driver reports {memory_bytes // MIB} MiB for {product_name!r}; "
            f"the table has {_sizes(cards)}; {_BY_HAND}"
        )
    return best.model_copy(update={"memory_bytes": memory_bytes})


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


def _rows() -> tuple[GPURow, ...]:
    return packaged_rows(_FILE, "gpu", GPURow)


@cache
def _by_name() -> dict[str, GPU]:
    return {gpu.name: gpu for gpu in all_gpus()}


@cache
def _spellings() -> dict[str, str]:
    return unique(table(_FILE), ((_key(word), name) for word, name in spellings(_rows())))


def spellings(listed: Iterable[GPURow]) -> tuple[tuple[str, str], ...]:
    """Each spelling of the users' own with the name of its row."""
    return tuple((word, row.name) for row in listed for word in (row.name, *row.aliases))


@cache
def _names_by_nvml() -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for row in _rows():
        for product in row.nvml_names:
            names.setdefault(_product(product), []).append(row.name)
    return names


def _refuse_a_size(name: str) -> None:
    """Return only where `name` is more than a size of memory.

    Raises:
        RequestError: several GPUs have it, or none.
    """
    size = size_of(name)
    if size is not None:
        held = ", ".join(one.name for one in gpus_of(size))
        which = f"choose of {held}" if held else "no GPU of the table has that much"
        raise RequestError(f"{name.strip()} is no GPU but a size of memory: {which}, {_BY_HAND}")


def _nearest_words(name: str) -> str:
    near = _nearest(name)
    return f"; nearest: {', '.join(near)}" if near else ", and none is spelt alike: `vllm-wizard gpus` lists the table"


def _nearest(name: str) -> list[str]:
    """At most four rows to suggest: those of the same product in another size first, then by spelling; none far off."""
    typed, compact = _dashed(name), _key(name)
    known = _spellings() | {_key(product): names[0] for product, names in _names_by_nvml().items()}
    alike = _ALIKE if len(compact) > _SHORT else _ALIKE_SHORT
    close = get_close_matches(compact, known, n=len(known), cutoff=alike)
    same_product = [gpu.name for gpu in all_gpus() if gpu.name.casefold().startswith(f"{typed}-")]
    return same_product[:4] or list(dict.fromkeys(known[spelling] for spelling in close))[:3]


def _product(name: str) -> str:
    """An NVML name without regard to case, with one dash for every run of blanks, dashes and underscores."""
    return re.sub(r"[\s_-]+", "-", name.strip().casefold())


def _dashed(name: str) -> str:
    """A spelling without regard to case and makers, with one dash for every run of blanks, dashes and underscores."""
    words = re.split(r"[\s_-]+", name.strip().casefold())
    return "-".join(word for word in words if word not in _MAKERS)


def _key(name: str) -> str:
    """A spelling without regard to case, makers and what stands between words; `80G` is 80GB."""
    return re.sub(r"(?<=\d)g$", "gb", _dashed(name).replace("-", ""))


def _likeness(one: int, other: int) -> float:
    return min(one, other) / max(one, other)


def _sizes(cards: Iterable[GPU]) -> str:
    return ", ".join(f"{card.name} {card.memory_bytes // MIB} MiB" for card in cards)


def _scaled(value: float | None, unit: int) -> int | None:
    return None if value is None else round(value * unit)
