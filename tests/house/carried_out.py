"""Additions carried out on a copy of the project: what works, what was touched, and what refuses a slip."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from house.copies import Copy

if TYPE_CHECKING:
    from pathlib import Path

    from house.addition import Addition, Slip

HEAD = "| to add | touch | files | held by |\n|---|---|---|---|"


def row(addition: Addition, place: Path) -> str:
    """The addition's row of CONTRIBUTING's table, once it was carried out and every slip of it refused by name."""
    copy = Copy(place)
    for one in addition.places:
        copy.change(one.name, one.edit)
    by_hand = {one.name for one in addition.places if not one.by_script}
    for script in addition.scripts:
        ended, said = copy.run(script)
        assert ended, said
    written = copy.changed() - by_hand
    ended, said = copy.run(*addition.works)
    assert ended, f"{addition.what} does not work:\n{said[-3000:]}"
    for slip in addition.slips:
        _refused(copy, addition, slip)
    files = f"{len(by_hand)}" + (f", {len(written)} written" if written else "")
    return f"| {addition.what} | {addition.touch} | {files} | {addition.held} |"


def _refused(copy: Copy, addition: Addition, slip: Slip) -> None:
    """Return only where the slip is refused by name; the copy is as complete afterwards as before."""
    places = {one.name: one for one in addition.places}
    kept = {name: (copy.place / name).read_text(encoding="utf-8") for name in copy.changed()}
    undone = _undone(addition, slip, kept)
    for name in undone:
        copy.restore(name)
    if slip.instead:
        copy.change(slip.instead.name, slip.instead.edit)
    ended, said = copy.run(*slip.probe)
    assert not ended, f"{addition.what} without {slip.forgotten} is accepted"
    assert re.search(slip.says, said), f"{addition.what} without {slip.forgotten} is not named:\n{said[-3000:]}"
    for name in undone:
        copy.change(name, lambda _, name=name: kept[name])
    assert places.keys() <= copy.changed()


def _undone(addition: Addition, slip: Slip, kept: dict[str, str]) -> set[str]:
    """Files that the slip leaves as they were: one place, its incomplete edit's, or what scripts would have written."""
    hands = {one.name for one in addition.places}
    if slip.instead:
        return {slip.instead.name}
    if slip.undone:
        return {*slip.undone}
    if slip.forgotten == "the scripts":
        # a script also writes into a place: only what a person wrote there stays
        return kept.keys() - hands
    return {slip.forgotten} if slip.forgotten in hands else hands
