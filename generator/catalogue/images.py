"""What vLLM's image asks of the host: `images.toml`."""

from typing import Annotated

from pydantic import Field

from generator.catalogue.behaviours import AnyRelease
from generator.catalogue.loader import Row, Source, packaged_rows
from generator.models.release import is_between


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
