"""Schemes of compressed-tensors and AutoRound that a release of vLLM has: `schemes.toml`."""

from pydantic import Field

from generator.catalogue.loader import Row, Source, packaged_rows
from generator.models.capability import CapabilitySet
from generator.models.release import is_between
from generator.models.scheme import KnownScheme, SchemePart, Side


class SideRow(Row):
    """What a row says of weights, inputs or outputs, as models/scheme.py: Side."""

    kind: str = ""
    bits: tuple[int, ...] = Field((), strict=False)
    strategies: tuple[str, ...] = Field((), strict=False)
    group_sizes: tuple[int, ...] = Field((), strict=False)
    zero_points: tuple[int, ...] | None = Field(None, strict=False)
    dynamic: bool | None = None
    scale: str = ""

    @property
    def side(self) -> Side:
        """As the planner takes it."""
        return Side(**dict(self))


class SchemeRow(Row):
    """One row of `schemes.toml`, whose head says what the columns are."""

    method: str
    name: str
    part: SchemePart
    since: str | None = None
    until: str | None = None
    weights: SideRow
    inputs: tuple[SideRow, ...] = Field((), strict=False)
    bare: bool = False
    outputs: SideRow | None = None
    packings: tuple[str, ...] = Field((), strict=False)
    capabilities: CapabilitySet = CapabilitySet()
    source: Source

    @property
    def scheme(self) -> KnownScheme:
        """As the planner takes it."""
        return KnownScheme(
            part=self.part, weights=self.weights.side, inputs=tuple(one.side for one in self.inputs), bare=self.bare,
            outputs=self.outputs and self.outputs.side, packings=self.packings, capabilities=self.capabilities,
        )  # fmt: skip


def schemes_of(version: str, method: str) -> tuple[KnownScheme, ...]:
    """The schemes that release `version` ("0.33.0") has of a method, of both neighbours where it was not read."""
    rows = packaged_rows("schemes.toml", "scheme", SchemeRow)
    return tuple(row.scheme for row in rows if row.method == method and is_between(version, row.since, row.until))
