"""What a person sees of an update."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from generator.cli import console
from generator.presenting.text import plural

if TYPE_CHECKING:
    from generator.operations.update import UpdateReport

_LONG = 120
"""Letters of a mapping that a line shows whole."""


def show_update(done: UpdateReport) -> None:
    """Print what an update changed: answers, engine values, files; nothing where nothing changed."""
    if done.template_before != done.template_after:
        console.show(f"template {done.template_before} -> [bold]{done.template_after}[/bold]")
    for title, changes in (("answers", done.answers), ("engine", done.engine)):
        for change in changes:
            old, new = console.escaped(_word(change.before)), console.escaped(_word(change.after))
            console.show(f"{title:<8} {change.name}: [dim]{old}[/dim] -> [bold]{new}[/bold]")
    if done.plan_before.summary != done.plan_after.summary:
        console.show(f"plan     {console.escaped(done.plan_after.summary)}")
    for kind in ("added", "changed", "deleted", "conflicts"):
        for name in getattr(done.files, kind):
            console.show(f"{kind:<8} {console.escaped(name)}")
    _show_migration(done)
    _show_edits(done)
    console.show(_next(done))


def _show_edits(done: UpdateReport) -> None:
    """Print managed files that are not as the template renders them: merged ones, and those that nothing touches."""
    for name in done.kept or ():
        console.show(f"kept     {console.escaped(name)}")
    for name in done.left:
        console.show(f"left     {console.escaped(name)}: git does not see your text, or cannot merge it; as it was")
    for name in done.absent:
        console.show(f"absent   {console.escaped(name)}: renamed or deleted by you, so no update touches it")
    for one in done.decided:
        old, new = console.escaped(_word(one.before)), console.escaped(_word(one.after))
        console.show(f"decided  {console.escaped(one.file)}: {one.name}: {old}, by hand, is {new} as you say now")
    for name in done.meanwhile:
        console.warn(f"{name} was saved while the update ran: it is as you saved it; git has the plan's side too")


def _next(done: UpdateReport) -> str:
    if not done.files.any:
        return "nothing to change"
    return "\nA dry run: nothing was changed" if done.dry_run else "\nNext: git diff, then commit"


def _show_migration(done: UpdateReport) -> None:
    for note in done.migrated:
        new = note.flag_after if note.flag_after != note.flag else _word(note.after)
        console.show(
            f"{note.kind:<8} {note.flag} -> {console.escaped(new or 'left out')}: {console.escaped(note.reason)}"
        )
    for one in done.mentions:
        console.show(f"yours    {console.escaped(f'{one.file}:{one.line}: {one.flag}: {one.advice}')}")


def _word(value: object) -> str:
    """A value on one line; of a mapping that would fill the screen, like what was measured, the names of its parts."""
    if value is None:
        return "unset"
    if isinstance(value, Mapping) and len(str(value)) > _LONG:
        return ", ".join(map(str, value))
    return str(value)


def show_recovered(directory: Path) -> None:
    """Take back what died at `directory` while it wrote, and say so; nothing where nothing did."""
    from generator.operations.undo import recovered  # noqa: PLC0415 - start-up time

    done = recovered(directory)
    if done is None:
        return
    said = plural(len(done.files), "file")
    console.warn(f"`vllm-wizard {done.command}` had died here while it wrote: taken back, {said} as before it")
    for name in done.kept:
        console.warn(f"{name} was written since: it is as you left it")
