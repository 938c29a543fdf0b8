"""settle(): a conflict whose two sides mean the same ends with the new plan's lines."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from generator.errors import GeneratorError
from generator.models.update import DecidedValue
from generator.rendering.git import git
from generator.rendering.line_merge import earlier_lines, merged_lines
from generator.rendering.value_merge import Decided, Merged, merged_values
from generator.rendering.workspace import workspace
from generator.sources.profile import load_profile

PROFILE = "profile.yaml"
_SIDES = ("base", "ours", "theirs")
_LABELS = ("before updating", "last update", "after updating")
_MARKED = re.compile("^<{7} ", re.MULTILINE)
_VALUES = (".yaml", ".yml", ".json")
_PROSE = (".md", ".txt")
"""Files in which a line that begins with `#` is a heading, or anything."""


class Told(NamedTuple):
    """What is known beside three texts."""

    named: Mapping[str, Any] = {}
    """Engine arguments that the command gives a value: the word of whoever runs it."""
    earlier: Callable[[str], Iterable[str]] = lambda _: ()
    """Other texts of a file that the template rendered, for answers of before."""


class MergedText(NamedTuple):
    """What three sides make."""

    text: str | None
    """None where it stays as it is."""
    whole: bool
    """True where it needs no hands."""
    decided: tuple[Decided, ...] = ()


_NOTHING = Told()


def settle(place: Path, name: str, agrees: Callable[[Path, Path], bool]) -> bool:
    """True where the conflict in `name` was settled: its conflicting lines are the new plan's, all others as merged.

    `agrees` is handed two files: as the user had it, and as it would be.
    """
    stages = git("ls-files", "--unmerged", "-z", "--", name, at=place).split("\0")[:-1]
    blobs = [line.split()[1] for line in stages]
    if len(blobs) != len(_SIDES):
        return False
    with workspace() as folder:
        base, ours, theirs = sides = [folder / side for side in _SIDES]
        for side, blob in zip(sides, blobs, strict=True):
            side.write_text(git("cat-file", "blob", blob, at=place), encoding="utf-8")
        merged = folder / "merged"
        words = ("merge-file", "-p", "--quiet", "--theirs")
        merged.write_text(git(*words, str(ours), str(base), str(theirs), at=place), encoding="utf-8")
        if not agrees(ours, merged):
            return False
        (place / name).write_text(merged.read_text(encoding="utf-8"), encoding="utf-8")
    git("restore", "--staged", "--", name, at=place)
    return True


def settle_conflicts(place: Path, *, told: Told = _NOTHING, words_of_both: bool = False) -> tuple[DecidedValue, ...]:
    """End the conflicts of the tree at `place` that are none: key by key where the file is YAML, else word by word.

    Of one whose values differ on both sides the lines of those values alone stay in conflict, but for values that the
    command names, which are returned. With `words_of_both` the other side is a person's, too, and no plan's: where the
    comments of both meet, it stays a conflict.
    """
    names = git("diff", "--name-only", "--relative", "--diff-filter=U", "-z", "--", ".", at=place).split("\0")[:-1]
    decided: list[DecidedValue] = []
    for name in names:
        texts = _sides(place, name)
        if texts is None:
            continue
        done = merged_text(name, *texts, told=told, words_of_both=words_of_both)
        if done.text is not None:
            (place / name).write_bytes(done.text.encode())
        if done.whole:
            git("--literal-pathspecs", "restore", "--staged", "--", name, at=place)
        decided += [DecidedValue(file=name, name=one.key, before=one.ours, after=one.theirs) for one in done.decided]
    return tuple(decided)


def merged_text(
    name: str, base: str, ours: str, theirs: str, *, told: Told = _NOTHING, words_of_both: bool = False
) -> MergedText:
    """The text that three sides make, and whether they merge without hands."""
    found = merged_values(base, ours, theirs, told.named) if name.endswith(_VALUES) else None
    if found is not None:
        text = None if found.open else _with_their_words(found, theirs, all_of_them=words_of_both)
        if text is not None:
            return MergedText(text, whole=True, decided=found.decided)
        return MergedText(by_line(found.base, found.ours, theirs), whole=False, decided=found.decided)
    conflicted = by_line(base, ours, theirs, "--diff3")
    if not name.endswith(_PROSE):
        lines = merged_lines(conflicted)
        return MergedText(lines, whole=lines is not None)
    lines = merged_lines(conflicted, prose=True)
    if lines is None:
        lines = merged_lines(conflicted, prose=True, earlier=earlier_lines(base, told.earlier(name)))
    return MergedText(lines, whole=lines is not None)


def _with_their_words(found: Merged, theirs: str, *, all_of_them: bool) -> str | None:
    """What our text says after a merge by value, with the comments of theirs as far as they meet none of ours.

    None where `all_of_them` are wanted and some do meet ours.
    """
    sides, said = (found.base, found.ours, theirs), yaml.safe_load(found.ours)
    ways: tuple[Callable[[], str | None], ...] = (
        lambda: by_line(*sides),
        lambda: merged_lines(by_line(*sides, "--diff3")),
        lambda: None if all_of_them else by_line(*sides, "--ours"),
    )
    for way in ways:
        text = way()
        if text is not None and not _MARKED.search(text) and _says(text) == said:
            return text
    return None if all_of_them else found.ours


def _says(text: str) -> object:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def by_line(base: str, ours: str, theirs: str, *options: str) -> str:
    """What git makes of the three sides, its conflicts marked."""
    with workspace() as folder:
        for side, text in zip(_SIDES, (base, ours, theirs), strict=True):
            (folder / side).write_bytes(text.encode())
        labels = [word for label in _LABELS for word in ("-L", label)]
        words = ("merge-file", "-p", "--quiet", *options, *labels, "ours", "base", "theirs")
        return git(*words, at=folder, accept=tuple(range(128)))


def _sides(place: Path, name: str) -> tuple[str, str, str] | None:
    """Base, ours and theirs of a file in conflict; None where a side is missing, or is no text."""
    listed = git("--literal-pathspecs", "ls-files", "--unmerged", "-z", "--", name, at=place).split("\0")[:-1]
    blobs = [line.split()[1] for line in listed]
    if len(blobs) != len(_SIDES):
        return None
    base, ours, theirs = (git("cat-file", "blob", blob, at=place) for blob in blobs)
    bad = any("\0" in text or (not text.isascii() and not _is_text(text)) for text in (base, ours, theirs))
    return None if bad else (base, ours, theirs)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def settle_profile(place: Path) -> None:
    """End a conflict in profile.yaml where the user's words state what the new plan's do, in another spelling."""
    settle(place, PROFILE, _state_the_same)


def _state_the_same(mine: Path, merged: Path) -> bool:
    try:
        return load_profile(mine).answers == load_profile(merged).answers
    except GeneratorError:
        return False
