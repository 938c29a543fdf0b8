"""The coefficients of a budget; the figures are `overheads.toml`'s, which a committed script fits."""

from functools import cache
from typing import Annotated

from pydantic import Field

from generator.catalogue.loader import Row, Source, Words, read, row, table
from generator.models.capability import CapabilitySet
from generator.models.interval import ByteInterval
from generator.models.overheads import DeviceReserve, InUse, OverheadTable, Region, Term, Widening
from generator.units import MIB

_FILE = "overheads.toml"

ReleaseNumber = Annotated[str, Field(pattern=r"^\d+(\.\d+)+$")]
Number = Annotated[float, Field(strict=False)]


class TermRow(Row):
    """One coefficient."""

    name: str
    since: ReleaseNumber
    capabilities: CapabilitySet = CapabilitySet()
    expected: Number
    low: Number
    high: Number
    otherwise: Number | None = None
    rows: int = 0
    source: Source


class DeviceRow(Row):
    """What the driver of one product keeps from CUDA, in MiB."""

    nvml_names: Words
    reserved_mib: Annotated[int, Field(ge=0)]
    source: Source


class InUseRow(Row):
    """What a start finds in use on GPUs whose name begins with one of `names`, in MiB."""

    names: Words
    expected: Annotated[int, Field(ge=0)]
    low: Annotated[int, Field(ge=0)]
    high: Annotated[int, Field(ge=0)]
    source: Source


class RegionRow(Row):
    """A kind of start, by the words of `planning/memory/evidence.py`."""

    name: Source
    sources: Annotated[int, Field(ge=1)]
    starts: Annotated[int, Field(ge=1)]


class CalibrationRow(Row):
    """What the table was calibrated on."""

    since: ReleaseNumber
    until: ReleaseNumber
    set: Source
    widening: Annotated[float, Field(ge=1)]
    thin_widening: Annotated[float, Field(ge=1)]
    enough_sources: Annotated[int, Field(ge=0)]
    most_utilization: Annotated[float, Field(gt=0, le=1)]


@cache
def overheads() -> OverheadTable:
    """The packaged table.

    Raises:
        GeneratorError: a row is incomplete; file, row and column are named.
    """
    file = table(_FILE)
    content = read(file)
    known = row(file, "calibration", content["calibration"], CalibrationRow)
    terms = [row(file, f"term {number}", data, TermRow) for number, data in enumerate(content["term"], 1)]
    devices = [row(file, f"device {number}", data, DeviceRow) for number, data in enumerate(content["device"], 1)]
    held = [row(file, f"in_use {number}", data, InUseRow) for number, data in enumerate(content["in_use"], 1)]
    regions = [row(file, f"region {number}", data, RegionRow) for number, data in enumerate(content["region"], 1)]
    return OverheadTable(
        calibrated_since=known.since,
        calibrated_until=known.until,
        calibration_set=known.set,
        regions=tuple(Region(**one.model_dump()) for one in regions),
        widening=Widening(always=known.widening, thin=known.thin_widening, enough_sources=known.enough_sources),
        most_utilization=known.most_utilization,
        in_use=tuple(
            InUse(
                names=one.names,
                memory=ByteInterval(expected=one.expected * MIB, low=one.low * MIB, high=one.high * MIB),
                source=one.source,
            )
            for one in held
        ),
        terms=tuple(map(Term.of_row, terms)),
        reserves=tuple(
            DeviceReserve(nvml_names=device.nvml_names, reserved_bytes=device.reserved_mib * MIB, source=device.source)
            for device in devices
        ),
    )
