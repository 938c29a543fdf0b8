"""recovered(): what an earlier update left that died while it wrote, taken back before anything else is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import RenderError
from generator.operations import scratch, transaction
from generator.rendering.git import isolated

if TYPE_CHECKING:
    from pathlib import Path

    from generator.operations.transaction import Recovered


def recovered(root: Path) -> Recovered | None:
    """The update that had died at `root` and is taken back now; None where none did.

    Raises:
        RenderError: another update is under way there.
    """
    place = root.expanduser().absolute()
    with isolated():
        try:
            if not place.is_dir():
                return None
            if not transaction.is_interrupted(place):
                scratch.clear(place)
                return None
        except RenderError:  # no repository: whoever needs one says so
            return None
        with transaction.begin(place, "recovery") as taken:
            return taken.recovered
