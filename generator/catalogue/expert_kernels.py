"""Kernels of experts by release: `expert_kernels.toml`."""

from collections.abc import Mapping, Sequence

from generator.catalogue.loader import Row, Source, packaged_rows
from generator.models.capability import CapabilitySet
from generator.models.kernels import ExpertKernels
from generator.models.release import is_between

_COLUMNS = ("runs", "chosen", "chosen_whole")


class ExpertKernelRow(Row):
    """One row of `expert_kernels.toml`, whose head says what the columns are."""

    name: str
    since: str | None = None
    until: str | None = None
    runs: dict[str, CapabilitySet]
    chosen: dict[str, CapabilitySet]
    chosen_whole: dict[str, CapabilitySet]
    source: Source


def expert_kernels(version: str) -> Mapping[str, ExpertKernels]:
    """Kernels of release `version` ("0.33.0") by the way that experts are stored: "fp8 fp8_block"."""
    found: dict[str, list[ExpertKernelRow]] = {}
    for row in packaged_rows("expert_kernels.toml", "stored", ExpertKernelRow):
        if is_between(version, row.since, row.until):
            found.setdefault(row.name, []).append(row)
    return {
        name: ExpertKernels(**{column: _either([getattr(row, column) for row in rows]) for column in _COLUMNS})
        for name, rows in found.items()
    }


def _either(said: Sequence[Mapping[str, CapabilitySet]]) -> dict[str, CapabilitySet]:
    """What holds in one of the releases at least: the rows beside a release that was not asked both stand for it."""
    names = dict.fromkeys(name for one in said for name in one)
    return {name: CapabilitySet(" ".join(one[name] for one in said if name in one)) for name in names}
