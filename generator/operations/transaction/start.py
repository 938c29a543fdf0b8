"""Start: what the user's tree holds when an update begins, beside what git thinks that it holds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from generator.operations.transaction import files
from generator.rendering.git import git


@dataclass(frozen=True)
class Start:
    """Marks of the files of one deployment, from before anything was rendered."""

    place: Path
    marks: Mapping[str, str | None]
    """By name: of the user's files."""
    left: frozenset[str]
    """Files and directories (with a slash) that no update may write to."""
    returns: frozenset[str] = field(default=frozenset())
    """Files that are the same but for their line ends, CRLF in the user's tree."""
    owned: Iterable[str] = field(default=())

    def is_left(self, name: str) -> bool:
        """True where the file stays as it is, whatever the update makes of it."""
        return name in self.left or any(name.startswith(one) for one in self.left if one.endswith("/"))

    def expected(self, name: str) -> str | None:
        """The mark that the file must still have when it is replaced."""
        return self.marks.get(name)

    def ended(self, scratch: Path, place: Path, name: str) -> Path | None:
        """The file of the scratch tree with the line ends that the user's has; None where it is gone."""
        path = scratch / name
        if not path.is_file() and not path.is_symlink():
            return None
        if name in self.returns and (place / name).is_file():
            path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
        return path


def started(place: Path, scratch: Path, left: Iterable[str]) -> Start:
    """The start of an update of `place`, whose last commit is checked out in `scratch`.

    Git shows no edit of a file that it was told not to look at, or whose filter takes the edit out: what is not, byte
    for byte, what a checkout gives is left alone.
    """
    tracked = git("ls-files", "-z", "--", ".", at=scratch).split("\0")[:-1]
    theirs, marks, returns = set(left), {}, set()
    exact = git("config", "--type=bool", "--get", "core.fileMode", at=place, accept=(0, 1)).strip() != "false"
    for name in tracked:
        ours, clean = files.mark(place / name), files.mark(scratch / name)
        marks[name] = ours
        if ours == clean or ours is None or (not exact and files.content(ours) == files.content(clean)):
            continue
        if _are_line_ends(place / name, scratch / name):
            returns.add(name)
        else:
            theirs.add(name)
    return Start(place=place, marks=marks, left=frozenset(theirs), returns=frozenset(returns))


def _are_line_ends(one: Path, other: Path) -> bool:
    """True where two files differ in their line ends alone, and the first has CRLF throughout."""
    try:
        mine, clean = one.read_bytes(), other.read_bytes()
    except OSError:
        return False
    return mine.count(b"\n") == mine.count(b"\r\n") and mine.replace(b"\r\n", b"\n") == clean.replace(b"\r\n", b"\n")
