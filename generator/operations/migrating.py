"""What an update to another vLLM release takes along: the overrides, and word for whoever owns the other files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generator.catalogue.engines import engine
from generator.catalogue.migrations import migrations
from generator.errors import GeneratorError, RequestError
from generator.models.migration import Mention, MigrationNote
from generator.models.value import Value
from generator.planning.migration import migrate
from generator.presenting import overlays
from generator.rendering import pristine, store
from generator.rendering.answers import ANSWERS_FILE
from generator.rendering.git import git

if TYPE_CHECKING:
    from generator.rendering.answers import Answers

_IGNORED = (".env", "*.override.yaml", "*.local.*", "Makefile.local")
"""The user's own files that the rendered .gitignore may hide from git."""


class Carried(Value):
    """The changes of an update with the overrides that its vLLM release takes, and what happened to them."""

    changes: dict[str, Any]
    notes: tuple[MigrationNote, ...] = ()


def carried(before: Answers, changes: Mapping[str, Any], *, keep_defaults: bool = False) -> Carried:
    """`changes` with the recorded overrides migrated where they ask for another vLLM release.

    Overrides that `changes` states anew are the user's words for the new release and stay as they are.

    Raises:
        UnknownFactError: the tables lack a release.
        RequestError: the new release lacks an argument, or refuses a value, that has no successor; or defaults are to
            be kept where no other release is named.
    """
    if keep_defaults and "vllm" not in changes:
        raise RequestError("--keep-defaults pins what another vLLM release would change: name that release, --vllm X.Y")
    if "vllm" not in changes:
        return Carried(changes=dict(changes))
    old, new = engine(str(before.values.get("vllm") or "")), engine(str(changes["vllm"]))
    named = dict(changes) | {"vllm": new.version}
    if old.version == new.version:
        return Carried(changes=named)
    recorded: dict[str, Any] = before.values.get("overrides") or {}
    wanted: dict[str, Any] = changes.get("overrides", recorded)
    stated = {name: value for name, value in wanted.items() if recorded.get(name, ...) != value}
    taken = {name: value for name, value in recorded.items() if name in wanted and name not in stated}
    planned = frozenset(before.plan.engine) | stated.keys()
    done = migrate(taken, old, new, migrations(), planned=planned, keep_defaults=keep_defaults)
    overrides = done.overrides | stated
    if overrides != recorded or "overrides" in changes:
        named["overrides"] = overrides
    return Carried(changes=named, notes=done.notes)


def own_files(scratch: Path, place: Path, notes: tuple[MigrationNote, ...]) -> tuple[tuple[Mention, ...], str]:
    """Lines of the user's files that still name a changed argument, and a patch of what can be patched.

    An update has rewritten in `scratch` what it manages, so that what still names one there is the user's; what git
    does not have lies at `place` alone.
    """
    flags = sorted({note.flag for note in notes if note.kind in ("renamed", "dropped", "replaced")})
    if not flags:
        return (), ""
    words = [word for flag in flags for word in ("-e", flag, "-e", flag.replace("_", "-"))]
    committed = _naming(words, scratch)
    beside = [name for name in _naming(words, place, "--untracked") if not (scratch / name).exists()]
    hidden = [path.relative_to(place).as_posix() for pattern in _IGNORED for path in place.glob(f"**/{pattern}")]
    mentions: list[Mention] = []
    patches = []
    for name in sorted({*committed, *beside, *hidden} - {ANSWERS_FILE}):
        text = (scratch if name in committed else place).joinpath(name).read_text(encoding="utf-8", errors="replace")
        mentions += overlays.mentions(name, text, notes)
        patches.append(overlays.patch(name, text, notes))
    return tuple(mentions), "".join(patches)


def _naming(words: list[str], at: Path, *options: str) -> list[str]:
    """Text files at `at` that hold one of the words of a `git grep`."""
    return git("grep", *options, "-lIzF", *words, "--", ".", at=at, accept=(0, 1)).split("\0")[:-1]


class Edits(Value):
    """Managed files that are not as the template renders them."""

    merged: tuple[str, ...]
    """Edited by hand; an update merges into them."""
    left: tuple[str, ...]
    """Ignored by git, or binary: no update touches them."""
    absent: tuple[str, ...] = ()
    """Renamed or deleted by hand: no update brings them back."""


def edits(
    place: Path, answers: Answers, *, render: bool, left: Iterable[str], packaged: Path = store.PACKAGED
) -> Edits | None:
    """Managed files at `place` that were edited by hand; None where it would take a rendering and none is wanted."""
    if answers.source != store.STORE and not render:
        return None
    try:
        tags = store.tags(answers.source)
        files = pristine.managed(answers, tags, render=render, packaged=packaged)
    except GeneratorError:
        return None
    if files is None:
        return None
    held = {name: place / name for name in files if (place / name).is_file()}
    other = [name for name, path in held.items() if pristine.digest(path.read_bytes()) != files[name]]
    alone = frozenset(left)
    folders = tuple(name for name in alone if name.endswith("/"))
    untouched = tuple(name for name in files if name in alone or name.startswith(folders))
    absent = tuple(name for name in files if name not in held and name not in untouched)
    return Edits(merged=tuple(name for name in other if name not in untouched), left=untouched, absent=absent)
