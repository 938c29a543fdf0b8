"""The branch of a search: each step a commit, what loses reverted; the user's own branch never moves."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from generator.errors import RenderError
from generator.models.value import Value
from generator.operations.undo import undo
from generator.rendering import repository
from generator.rendering.git import git


def checked_out(place: Path) -> str:
    """The branch that is checked out, or the commit where it is none."""
    named = git("symbolic-ref", "--quiet", "--short", "HEAD", at=place, accept=(0, 1)).strip()
    return named or git("rev-parse", "HEAD", at=place).strip()


def exists(place: Path, branch: str) -> bool:
    """Whether there is such a branch."""
    return bool(git("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", at=place, accept=(0, 1)))


def free(place: Path, name: str) -> str:
    """The name, or with a number behind it where there is such a branch."""
    numbered = (f"{name}-{number}" if number > 1 else name for number in count(1))
    return next(one for one in numbered if not exists(place, one))


def head(place: Path) -> str:
    """The commit that is checked out."""
    return git("rev-parse", "HEAD", at=place).strip()


class Home(Value):
    """Where the user was before the search, and what stands on its branch; noted beside the search while it runs."""

    branch: str
    base: str
    best: str
    """The commit whose tree is the best yet."""


@contextmanager
def on_branch(place: Path, home: Home, note: Path) -> Iterator[None]:
    """Stand on the branch, made from `best` where there is none; whatever ends it, `base` is checked out afterwards.

    Raises:
        RenderError: git refuses.
    """
    keep(note, home)
    words = (home.branch,) if exists(place, home.branch) else ("--create", home.branch, home.best)
    git("switch", "--quiet", *words, at=place)
    try:
        take_back(place, home.best)
        yield
    finally:
        go_home(place, note)


def keep(note: Path, home: Home) -> None:
    """Note where the search stands, in one step."""
    new = note.with_suffix(".new")
    new.write_text(home.model_dump_json(), encoding="utf-8")
    new.replace(note)


def go_home(place: Path, note: Path) -> None:
    """Take back the step that is under way, now or when an earlier search was killed, and check out what was before.

    Raises:
        RenderError: somebody else's changes are in the tree, or git refuses.
    """
    try:
        home = Home.model_validate_json(note.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    if checked_out(place) == home.branch != home.base:
        take_back(place, home.best)
        git("switch", "--quiet", *((home.base,) if exists(place, home.base) else ("--detach", home.base)), at=place)
    note.unlink()


def commit(place: Path, names: Iterable[str], message: str) -> str:
    """The id of a commit of these files; of the last one where they are in it."""
    git("--literal-pathspecs", "add", "--all", "--force", "--", *names, at=place)
    if not git("diff", "--cached", "--name-only", at=place):
        return head(place)
    words = ("commit", "--quiet", "--no-verify", "--no-gpg-sign", "--message", message)
    git(*repository.identity(place), *words, at=place)
    return head(place)


def take_back(place: Path, best: str) -> None:
    """Undo an update that is not committed, and revert a commit that is not the best: the tree is that of `best`.

    Raises:
        RenderError: somebody else's changes are in the tree.
    """
    if repository.changes(place).any:
        undo(place)
    if _tree(place, "HEAD") != _tree(place, best):
        git(*repository.identity(place), "revert", "--no-edit", "--no-gpg-sign", "HEAD", at=place)
        if _tree(place, "HEAD") != _tree(place, best):
            raise RenderError(f"somebody committed to {checked_out(place)}: take that elsewhere, then tune again")


def _tree(place: Path, commit_: str) -> str:
    return git("rev-parse", f"{commit_}^{{tree}}", at=place).strip()
