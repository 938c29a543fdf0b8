"""The rest of one rank's memory: measured coefficients, and the engine settings that they depend on."""

from __future__ import annotations

from functools import cached_property

from generator.errors import UnknownFactError
from generator.models.capability import Capability, CapabilitySet
from generator.models.interval import ByteInterval
from generator.models.release import release_key
from generator.models.value import Made


class Term(Made):
    """One coefficient from release `since` on, until the next row of the same name."""

    name: str
    since: str
    capabilities: CapabilitySet = CapabilitySet()
    """GPUs that the figure holds for; empty: all that have no row of their own."""
    expected: float
    low: float
    high: float
    otherwise: float | None = None
    """The figure where the start takes the other of two ways (a sampler that is not installed, a compiled graph from
    the cache); None where there is one way only."""
    rows: int = 0
    """Rows of the calibration set that the figure rests on; 0 where it was read in vLLM's code."""
    source: str

    def times(self, units: float) -> ByteInterval:
        """Bytes of `units` units of the coefficient."""
        return ByteInterval(
            expected=round(self.expected * units), low=round(self.low * units), high=round(self.high * units)
        )

    @property
    def other_way(self) -> Term:
        """The coefficient where the start takes the other way; the same where there is none."""
        if self.otherwise is None:
            return self
        figures = {"expected": self.otherwise, "low": self.otherwise, "high": self.otherwise}
        return self.changed(**figures)


class DeviceReserve(Made):
    """Bytes of a GPU that NVML counts in its total and CUDA does not (nvidia-smi's `Reserved`)."""

    nvml_names: tuple[str, ...]
    reserved_bytes: int
    source: str


class InUse(Made):
    """Bytes of a GPU that a start finds in use, on products whose name begins with one of `names`."""

    names: tuple[str, ...]
    memory: ByteInterval
    source: str


class Region(Made):
    """A kind of start, and the public sources and starts that show it."""

    name: str
    sources: int
    starts: int


class Widening(Made):
    """Factors on the range of the cache's memory, so that it holds starts that no fit has seen."""

    always: float = 1.0
    thin: float = 1.0
    """On top of `always` for a start of a region that fewer than `enough_sources` show."""
    enough_sources: int = 0


class OverheadTable(Made):
    """Every coefficient of a budget, with what it was calibrated on."""

    calibrated_since: str
    calibrated_until: str
    calibration_set: str
    terms: tuple[Term, ...]
    regions: tuple[Region, ...] = ()
    widening: Widening = Widening()
    reserves: tuple[DeviceReserve, ...] = ()
    in_use: tuple[InUse, ...] = ()
    most_utilization: float = 1.0
    """The largest share of a GPU that starts are known to have survived."""

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        """Of the figures too: the table of the other way has all else in common."""
        return hash((self.calibration_set, *(term.expected for term in self.terms)))

    @cached_property
    def _terms(self) -> dict[str, tuple[tuple[tuple[int, ...], Term], ...]]:
        names = dict.fromkeys(term.name for term in self.terms)
        return {
            name: tuple(
                sorted(
                    ((release_key(term.since), term) for term in self.terms if term.name == name),
                    key=lambda pair: pair[0],
                )
            )
            for name in names
        }

    @cached_property
    def _reserves(self) -> dict[str, int]:
        return {name: row.reserved_bytes for row in self.reserves for name in row.nvml_names}

    def term(self, name: str, release: str, capability: Capability | None = None) -> Term:
        """The coefficient of `release` on GPUs of `capability`; a release before the first row takes the first row.

        A row that names the capability goes before those for all.

        Raises:
            UnknownFactError: the table has no such coefficient.
        """
        if name not in self._terms:
            raise UnknownFactError(f"overhead table has no term {name!r}; it has {', '.join(self._terms)}")
        key = (name, release, capability)
        if key not in self._found:
            self._found[key] = _newest(self._terms[name], release_key(release), capability)
        return self._found[key]

    @cached_property
    def _found(self) -> dict[tuple[str, str, int | None], Term]:
        return {}

    @cached_property
    def other_way(self) -> OverheadTable:
        """The table of a start that takes the other way wherever there are two."""
        return self.changed(terms=tuple(term.other_way for term in self.terms))

    def sources(self, region: str) -> int:
        """Public sources that show a start of the region."""
        return next((one.sources for one in self.regions if one.name == region), 0)

    def in_use_bytes(self, names: tuple[str, ...]) -> ByteInterval:
        """Bytes that a start finds in use on the product of these names, its own CUDA context included.

        Those of the last row where none has such a name.
        """
        rows = (row for row in self.in_use if any(name.startswith(row.names) for name in names))
        found = next(rows, self.in_use[-1] if self.in_use else None)
        return found.memory if found else ByteInterval.exact(0)

    def reserved_bytes(self, nvml_names: tuple[str, ...]) -> int | None:
        """Bytes that the driver keeps from CUDA on that GPU; None where nobody measured it."""
        return next((self._reserves[name] for name in nvml_names if name in self._reserves), None)


def _newest(
    rows: tuple[tuple[tuple[int, ...], Term], ...], release: tuple[int, ...], capability: Capability | None
) -> Term:
    """The newest row that names the capability, else the newest for all."""
    for named in (True, False):
        fitting = [row for row in rows if bool(row[1].capabilities) == named and _holds(row[1], capability)]
        found = next((term for since, term in reversed(fitting) if since <= release), None)
        if found is not None:
            return found
    return rows[0][1]


def _holds(term: Term, capability: Capability | None) -> bool:
    return not term.capabilities or (capability is not None and term.capabilities.has(capability))
