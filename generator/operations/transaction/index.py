"""Index entries of some files: read, written in one step, and made a conflict."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from generator.operations.transaction import index_lock
from generator.rendering.git import git


def entries(place: Path, names: Iterable[str]) -> str:
    """What `update` needs to give these files the index entries that they have now."""
    wanted = list(names)
    if not wanted:
        return ""
    listed = git("--literal-pathspecs", "ls-files", "--stage", "-z", "--", *wanted, at=place).split("\0")[:-1]
    found: dict[str, tuple[str, ...]] = dict.fromkeys(wanted, ())
    for line in listed:
        stage, _, name = line.partition("\t")
        found[name] = (*found.get(name, ()), stage)
    return lines(place, found)


def lines(place: Path, stages: Mapping[str, Iterable[str]]) -> str:
    """The same for these `mode blob stage` of each file."""
    if not stages:
        return ""
    prefix = git("rev-parse", "--show-prefix", at=place).rstrip("\n")
    zeros = "0" * len(git("rev-parse", "HEAD", at=place).strip())
    rows = []
    for name, held in stages.items():
        rows.append(f"0 {zeros}\t{prefix}{name}\0")
        rows += [f"{stage}\t{prefix}{name}\0" for stage in held]
    return "".join(rows)


def without(place: Path, rows: str, names: Iterable[str]) -> str:
    """The rows of all other files."""
    prefix = git("rev-parse", "--show-prefix", at=place).rstrip("\n")
    left = {f"{prefix}{name}" for name in names}
    return "".join(f"{row}\0" for row in rows.split("\0")[:-1] if row.partition("\t")[2] not in left)


def update(place: Path, rows: str) -> None:
    """Write index entries in one step; waits for another git command that holds the index.

    Raises:
        RenderError: the index stays locked.
    """
    if not rows:
        return
    with index_lock.held(place) as (index, new):
        if index.exists():
            shutil.copy(index, new)
        git("update-index", "-z", "--index-info", at=place, stdin=rows, env={"GIT_INDEX_FILE": str(new.absolute())})
        new.replace(index)


def conflict(place: Path, name: str, theirs: Path | None) -> tuple[str, ...]:
    """`mode blob stage` of a file whose three sides are HEAD's, what lies there now, and `theirs`."""
    sides: list[str] = []
    held = git("--literal-pathspecs", "ls-tree", "-z", "HEAD", "--", name, at=place).rstrip("\0")
    if held:
        mode, _, blob = held.partition("\t")[0].split()
        sides.append(f"{mode} {blob} 1")
    for stage, path in ((2, place / name), (3, theirs)):
        if path is not None and path.is_file() and not path.is_symlink():
            mode = "100755" if path.stat().st_mode & 0o100 else "100644"
            blob = git("hash-object", "-w", f"--path={name}", "--", str(path), at=place).strip()
            sides.append(f"{mode} {blob} {stage}")
    return tuple(sides)
