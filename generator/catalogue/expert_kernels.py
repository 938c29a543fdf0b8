"""Kernels of experts by release: `expert_kernels.toml`."""

from collections.abc import Mapping

from generator.catalogue.loader import Row, Source, packaged_rows
from generator.models.capability import CapabilitySet
from generator.models.release import is_between


class ExpertKernelRow(Row):
    """One row of `expert_kernels.toml`, whose head says what the columns are."""

    name: str
    since: str | None = None
    until: str | None = None
    runs: dict[str, CapabilitySet]
    source: Source


def expert_kernels(version: str) -> Mapping[str, Mapping[str, CapabilitySet]]:
    """Capabilities on which each `moe_backend` runs, by the way that experts are stored; of release `version`."""
    found: dict[str, dict[str, CapabilitySet]] = {}
    for row in packaged_rows("expert_kernels.toml", "stored", ExpertKernelRow):
        if is_between(version, row.since, row.until):
            runs = found.setdefault(row.name, {})
            runs |= {name: CapabilitySet(f"{runs.get(name, '')} {words}".strip()) for name, words in row.runs.items()}
    return found
