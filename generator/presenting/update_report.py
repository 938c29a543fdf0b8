"""update_markdown(): an update as the body of a pull request."""

import json
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any

from generator.models.migration import MigrationNote
from generator.models.plan import PlanRecord
from generator.models.update import DecidedValue, UpdateSummary

_UNSET = "unset"
_ABSENT = "—"


def update_markdown(done: UpdateSummary) -> str:
    """The whole report in GitHub's Markdown; a section without content is left out."""
    sections = (
        _headline(done),
        _section("Answers", _table(("Answer", "Before", "After"), _changes(done))),
        _section("Engine arguments", _table(("Argument", "Before", "After", "Why"), _engine(done))),
        _section("What it means", _table(("", "Before", "After"), _meaning(done.plan_before, done.plan_after))),
        _section("Memory of one GPU", _table(("", "Before", "After"), _memory(done))),
        _section("Arguments of another vLLM release", _table(("Argument", "Before", "After", "Why"), _notes(done))),
        _section("Your own files", _own_files(done)),
        _section("Files", _files(done)),
    )
    return "\n\n".join(part for part in sections if part) + "\n"


def _headline(done: UpdateSummary) -> str:
    lines = [f"## {_text(done.plan_after.summary)}"]
    if done.dry_run:
        lines.append("A dry run: nothing was changed.")
    if done.template_before != done.template_after:
        lines.append(f"Template {done.template_before} → {done.template_after}.")
    if done.files.conflicts:
        names = ", ".join(map(_code, done.files.conflicts))
        lines.append(f"**Conflicts in {names}: the same lines were changed on both sides. Resolve them first.**")
    if not (done.files.any or done.answers or done.engine):
        lines.append("Nothing changes.")
    lines += [f"Warning: {_text(text)}" for text in done.plan_after.warnings]
    return "\n\n".join(lines)


def _changes(done: UpdateSummary) -> Iterator[tuple[str, ...]]:
    for change in done.answers:
        yield _code(change.name), _value(change.before), _value(change.after)


def _engine(done: UpdateSummary) -> Iterator[tuple[str, ...]]:
    reasons = {one.field: one.reason for one in done.plan_after.decisions}
    for change in done.engine:
        why = reasons.get(change.name, "" if change.after is not None else "the plan does not set it any more")
        yield _code(change.name), _value(change.before), _value(change.after), _text(why)


def _meaning(before: PlanRecord, after: PlanRecord) -> Iterator[tuple[str, ...]]:
    for (name, old), (_, new) in zip(_figures(before), _figures(after), strict=True):
        if old != new:
            yield name, _text(old) or _ABSENT, _text(new) or _ABSENT


def _figures(plan: PlanRecord) -> tuple[tuple[str, str], ...]:
    return (
        ("Verdict", plan.display.verdict),
        ("GPUs", plan.display.gpus),
        ("Context", plan.display.context),
        ("Concurrency", plan.display.concurrency),
        ("Speed", plan.display.speed),
        ("Image", plan.runtime.image),
        ("Planner", plan.planner),
    )


def _memory(done: UpdateSummary) -> Iterator[tuple[str, ...]]:
    old, new = dict(done.plan_before.display.memory), dict(done.plan_after.display.memory)
    if old == new:
        return
    for name in dict.fromkeys([*new, *old]):
        yield _text(name), _text(old.get(name, _ABSENT)), _text(new.get(name, _ABSENT))


def _notes(done: UpdateSummary) -> Iterator[tuple[str, ...]]:
    for note in done.migrated:
        name = (
            _code(note.flag)
            if note.flag_after in (None, note.flag)
            else f"{_code(note.flag)} → {_code(note.flag_after)}"
        )
        after = "left out" if note.flag_after is None else _value(note.after)
        yield name, _value(note.before), after, _text(_why(note))


def _why(note: MigrationNote) -> str:
    if note.kind == "default" and note.before is not None:  # `null` would leave it to vLLM: the new default
        return f"{note.reason}; keep the old one with --set {note.flag}={json.dumps(note.before)}"
    return f"{note.reason}; the old default is pinned" if note.kind == "pinned" else note.reason


def _own_files(done: UpdateSummary) -> str:
    if not done.mentions:
        return ""
    lines = ["They are never rewritten. These lines name an argument that changed:", ""]
    lines += [f"- {_code(f'{one.file}:{one.line}')}: {_code(one.text)} — {_text(one.advice)}" for one in done.mentions]
    if done.patch:
        fence = _fence(done.patch)
        lines += ["", "For `git apply`:", "", f"{fence}diff", done.patch.rstrip("\n"), fence]
    return "\n".join(lines)


def _files(done: UpdateSummary) -> str:
    rows = (
        ("Conflicts", done.files.conflicts),
        ("Added", done.files.added),
        ("Changed", done.files.changed),
        ("Deleted", done.files.deleted),
        ("Your edits kept", done.kept or ()),
        ("Left alone, being ignored by git or binary", done.left),
        ("Absent, renamed or deleted by hand", done.absent),
        ("Edited by hand, and as the command says now", tuple(map(_decided, done.decided))),
    )
    return "\n".join(f"- {title}: {', '.join(map(_code, names))}" for title, names in rows if names)


def _decided(one: DecidedValue) -> str:
    return f"{one.file}: {one.name}: {json.dumps(one.before)} → {json.dumps(one.after)}"


def _section(title: str, content: str) -> str:
    return f"### {title}\n\n{content}" if content else ""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    listed = [_row(cells for _, cells in zip_longest(head, row)) for row in rows]
    return "\n".join([_row(head), _row("---" for _ in head), *listed]) if listed else ""


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _value(value: Any) -> str:
    if value is None:
        return _UNSET
    return _code(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True))


def _code(text: str | None) -> str:
    """A code span; a backtick in it lengthens the fence, a pipe would end a table's cell."""
    plain = " ".join((text or "").split()).replace("|", "\\|")
    fence = _fence(plain, 1)
    return f"{fence} {plain} {fence}" if "`" in plain else f"{fence}{plain}{fence}"


def _text(text: str) -> str:
    """Words that Markdown leaves as they are: no table cell, no HTML, no link of somebody else's making."""
    plain = " ".join(text.split())
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>|#@" else letter for letter in plain)


def _fence(text: str, least: int = 3) -> str:
    longest = max((len(run) for run in _runs(text)), default=0)
    return "`" * max(least, longest + 1)


def _runs(text: str) -> list[str]:
    return [run for run in "".join(letter if letter == "`" else " " for letter in text).split() if run]
