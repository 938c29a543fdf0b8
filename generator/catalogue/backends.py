"""Attention backends by release: `backends.toml`, and `backends_rocm.toml` for AMD."""

from functools import cache
from typing import Annotated

from pydantic import Field

from generator.catalogue.loader import Row, Source, Words, read, row, table
from generator.models.backend import Backend, BackendOrder
from generator.models.capability import CapabilitySet
from generator.models.release import is_between

_FILES = ("backends.toml", "backends_rocm.toml")

MinorRelease = Annotated[str, Field(pattern=r"^\d+\.\d+$")]


class BackendRow(Row):
    """One row of `backends.toml`, whose head says what the columns are."""

    name: str
    since: MinorRelease | None = None
    until: MinorRelease | None = None
    capabilities: CapabilitySet = CapabilitySet()
    kv_cache_dtypes: Words
    dtypes: Words
    head_sizes: Annotated[tuple[int, ...], Field(strict=False)] = ()
    blocks: Annotated[tuple[Annotated[str, Field(pattern=r"^\d+n?$")], ...], Field(strict=False)]
    mla: bool = False
    sparse: bool = False
    sink: bool = False
    mm_prefix: bool = False
    non_causal: bool = False
    dcp: bool = False
    source: Source

    @property
    def backend(self) -> Backend:
        """The row as planning reads it."""
        multiples = [int(word.removesuffix("n")) for word in self.blocks if word.endswith("n")]
        return Backend.of_row(
            self,
            block_multiple=multiples[0] if multiples else None,
            block_sizes=tuple(int(word) for word in self.blocks if not word.endswith("n")),
            **{name: frozenset(getattr(self, name)) for name in ("kv_cache_dtypes", "dtypes", "head_sizes")},
        )


class OrderRow(Row):
    """One order of a range of releases."""

    since: MinorRelease | None = None
    until: MinorRelease | None = None
    mla: bool = False
    capabilities: CapabilitySet = CapabilitySet()
    quantized: bool | None = None
    few_heads: bool | None = None
    rope_free: bool | None = None
    mm_prefix: bool | None = None
    non_causal: bool | None = None
    backends: Words

    @property
    def order(self) -> BackendOrder:
        """The row as planning reads it."""
        return BackendOrder.of_row(self)


def backends_of(version: str) -> tuple[Backend, ...]:
    """Attention backends that release `version` ("0.33.0") has, by name."""
    return tuple(one.backend for one in _rows()[0] if is_between(version, one.since, one.until))


def orders_of(version: str) -> tuple[BackendOrder, ...]:
    """The orders in which release `version` tries them; the first that fits a layer is its own."""
    held = (one.order for one in _rows()[1] if is_between(version, one.since, one.until))
    return tuple(sorted(held, key=lambda order: not order.capabilities))


@cache
def _rows() -> tuple[tuple[BackendRow, ...], tuple[OrderRow, ...]]:
    backends: list[BackendRow] = []
    orders: list[OrderRow] = []
    for name in _FILES:
        file = table(name)
        found = read(file)
        backends += [row(file, f"backend {one}", data, BackendRow) for one, data in enumerate(found["backend"], 1)]
        orders += [row(file, f"order {one}", data, OrderRow) for one, data in enumerate(found["order"], 1)]
    return tuple(backends), tuple(orders)
