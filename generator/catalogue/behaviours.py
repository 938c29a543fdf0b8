"""How releases of vLLM behave where they differ, and what their images hold: `behaviours.toml`, `images.toml`."""

from functools import cache
from typing import Annotated

from pydantic import Field

from generator.catalogue.backends import backends_of, orders_of
from generator.catalogue.loader import Row, Source, Words, packaged_rows
from generator.models.capability import CapabilitySet
from generator.models.release import Behaviour, Release, is_between

AnyRelease = Annotated[str, Field(pattern=r"^\d+\.\d+(\.\d+)?$")]


class BehaviourRow(Row):
    """One row of `behaviours.toml`, whose head says what the columns are."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    since: AnyRelease | None = None
    until: AnyRelease | None = None
    capabilities: CapabilitySet = CapabilitySet()
    classes: Words = ()
    what: Annotated[str, Field(min_length=1)]
    source: Source

    def holds_in(self, version: str) -> bool:
        """Whether release `version` behaves so; patches of the last release that does are counted in."""
        return is_between(version, self.since, self.until)


@cache
def release_of(version: str) -> Release:
    """The release `version` ("0.33.0") with its behaviours; any release may be asked, known to the tables or not."""
    found: dict[str, tuple[Behaviour, ...]] = {}
    listed = packaged_rows("behaviours.toml", "behaviour", BehaviourRow)
    for one in listed:
        rows = found.setdefault(one.name, ())
        if one.holds_in(version):
            own = Behaviour(capabilities=one.capabilities, classes=frozenset(one.classes))
            found[one.name] = (*rows, own)
    since = {one.name: one.since for one in reversed(listed) if one.since}
    until = {one.name: one.until for one in listed if one.until}
    return Release(
        version=version,
        behaviours=found,
        since=since,
        until=until,
        backends=backends_of(version),
        orders=orders_of(version),
    )


class ImageRow(Row):
    """One row of `images.toml`, whose head says what the columns are."""

    since: AnyRelease | None = None
    until: AnyRelease | None = None
    cuda: AnyRelease
    driver: Annotated[int, Field(gt=0)]
    compatible: Annotated[int, Field(gt=0)]
    unpacked_gib: Annotated[int, Field(gt=0)]
    source: Source


def image_of(version: str) -> ImageRow:
    """What the image of release `version` asks of the host; the newest row for one that is newer than all."""
    listed = packaged_rows("images.toml", "image", ImageRow)
    found: ImageRow = next((one for one in listed if is_between(version, one.since, one.until)), listed[-1])
    return found
