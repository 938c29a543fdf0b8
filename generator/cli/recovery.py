"""tell(): an earlier update that had died is taken back, and the user hears of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.cli import console
from generator.presenting.text import plural

if TYPE_CHECKING:
    from pathlib import Path


def tell(directory: Path) -> None:
    """Take back what died at `directory` while it wrote, and say so; nothing where nothing did."""
    from generator.operations.recover import recovered  # noqa: PLC0415 - start-up time

    done = recovered(directory)
    if done is None:
        return
    said = plural(len(done.files), "file")
    console.warn(f"`vllm-wizard {done.command}` had died here while it wrote: taken back, {said} as before it")
    for name in done.kept:
        console.warn(f"{name} was written since: it is as you left it")
