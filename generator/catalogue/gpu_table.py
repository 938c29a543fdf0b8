"""The table of GPUs, `gpus.toml`: its rows as values, and its spellings."""

from collections.abc import Iterable
from functools import cache
from typing import Annotated

from pydantic import Field

from generator.catalogue.gpu_words import key_of, product_of, words_of
from generator.catalogue.loader import Row, Source, Words, packaged_rows, table, unique
from generator.models.capability import Capability
from generator.models.hardware import GPU, Flops, MemoryKind
from generator.units import MIB

_FILE = "gpus.toml"
Positive = Annotated[float, Field(gt=0)]


class GPURow(Row):
    """One row of `gpus.toml`, in the units that its sources print."""

    name: str
    aliases: Words = ()
    nvml_names: Words
    memory_mib: Annotated[int, Field(gt=0)]
    capability: Annotated[str, Field(pattern=r"^(\d{1,2}\.\d|gfx\d{3})$")]
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
    batched_tokens: Annotated[int, Field(gt=0)] | None = None
    batched_source: Source | None = None
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
            capability=Capability.of(self.capability),
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
            batched_tokens=self.batched_tokens or 0,
            memory_kind=self.memory,
            unified_memory=self.memory == "unified",
            source=f"memory: {self.memory_source}; figures: {self.spec_source}",
        )


@cache
def all_gpus() -> tuple[GPU, ...]:
    """Every GPU of the table, in its order."""
    return tuple(row.gpu for row in _rows())


@cache
def gpus_by_name() -> dict[str, GPU]:
    """Every GPU by the name of its row."""
    return {gpu.name: gpu for gpu in all_gpus()}


@cache
def names_by_spelling() -> dict[str, str]:
    """The row's name by each key of a spelling of the users' own."""
    return unique(table(_FILE), ((key_of(word), name) for word, name in spellings(_rows())))


@cache
def names_by_words() -> dict[frozenset[str], str]:
    """The row's name by the words of its spellings, with and without its size, where no other row has the same."""
    owners: dict[frozenset[str], set[str]] = {}
    for spelling, name in spellings(_rows()):
        size = name.rpartition("-")[2].casefold()
        for words in (words_of(spelling), words_of(spelling) | {size}):
            owners.setdefault(words, set()).add(name)
    return {words: next(iter(names)) for words, names in owners.items() if len(names) == 1}


def spellings(listed: Iterable[GPURow]) -> tuple[tuple[str, str], ...]:
    """Each spelling of the users' own with the name of its row."""
    return tuple((word, row.name) for row in listed for word in (row.name, *row.aliases))


@cache
def names_by_product() -> dict[str, list[str]]:
    """Names of the rows, one or several, by each product name of NVML as `product_of` gives it."""
    names: dict[str, list[str]] = {}
    for row in _rows():
        for product in row.nvml_names:
            names.setdefault(product_of(product), []).append(row.name)
    return names


def _rows() -> tuple[GPURow, ...]:
    return packaged_rows(_FILE, "gpu", GPURow)


def _scaled(value: float | None, unit: int) -> int | None:
    return None if value is None else round(value * unit)
