"""The deployment repository as git sees it: what is refused, what an update changed, how it is restored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import RenderError
from generator.models.update import Changes
from generator.rendering.git import git

if TYPE_CHECKING:
    from pathlib import Path

_MARKERS = "^(<<<<<<< before updating|>>>>>>> after updating)"
_UNMERGED = {"DD", "AU", "UD", "UA", "DU", "AA", "UU"}
_SHOWN = 5
_FALLBACK_IDENTITY = ("-c", "user.name=vllm-wizard", "-c", "user.email=vllm-wizard@localhost")


def refuse_unready(root: Path) -> None:
    """Return only where `root` is committed in git, clean, and free of an earlier update's conflicts.

    Raises:
        RenderError: it is not; says what to do first.
    """
    try:
        git("rev-parse", "--verify", "--quiet", "HEAD", at=root)
    except RenderError as error:
        raise RenderError(
            f"{root} is no git repository with a commit: `git init && git add -A && git commit` there first"
        ) from error
    now = changes(root)
    if now.conflicts:
        raise RenderError(f"unresolved conflicts in {_some(now.conflicts)}: resolve and commit them first")
    if now.any:
        files = (*now.changed, *now.added, *now.deleted)
        raise RenderError(f"uncommitted changes in {_some(files)}: commit or stash them first")
    marked = git("grep", "-lIzE", "-e", _MARKERS, "--", ".", at=root, accept=(0, 1)).split("\0")[:-1]
    if marked:
        raise RenderError(f"conflict markers are committed in {_some(tuple(marked))}: resolve them first")


def changes(root: Path) -> Changes:
    """What differs from the last commit under `root`; ignored files only where they are `*.rej`."""
    prefix = git("rev-parse", "--show-prefix", at=root).rstrip("\n")
    listing = git("status", "--porcelain", "--ignored", "--no-renames", "-z", "--", ".", at=root)
    found: dict[str, list[str]] = {"added": [], "changed": [], "deleted": [], "conflicts": []}
    for entry in listing.split("\0")[:-1]:
        kind = _kind(entry[:2], entry[3:])
        if kind:
            found[kind].append(entry[3:].removeprefix(prefix))
    return Changes(**{kind: tuple(sorted(names)) for kind, names in found.items()})


def restore(root: Path) -> None:
    """Bring `root` back to the last commit; for a tree that was clean before."""
    added = (*changes(root).added, *changes(root).conflicts)
    git("restore", "--source=HEAD", "--staged", "--worktree", "--", ".", at=root)
    tracked = set(git("ls-files", "-z", "--", ".", at=root).split("\0"))
    for name in added:
        if name not in tracked:
            remove(root / name, root)


def create(root: Path, message: str) -> str:
    """The id of the first commit of a new repository at `root` that holds every file there."""
    git("init", "--quiet", "--initial-branch=main", at=root)
    git("-c", "core.excludesFile=", "add", "--all", at=root)
    words = ("commit", "--quiet", "--no-verify", "--no-gpg-sign", "--message", message)
    git(*(() if _has_identity(root) else _FALLBACK_IDENTITY), *words, at=root)
    return git("rev-parse", "HEAD", at=root).strip()


def remove(path: Path, root: Path) -> None:
    """Remove a file and the directories below `root` that it leaves empty."""
    path.unlink(missing_ok=True)
    for folder in path.parents:
        if folder == root or any(folder.iterdir()):
            return
        folder.rmdir()


def _has_identity(root: Path) -> bool:
    """True where git knows who commits without guessing from the host's name."""
    try:
        git("-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT", at=root)
        git("-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT", at=root)
    except RenderError:
        return False
    return True


def _kind(code: str, name: str) -> str | None:
    """The field of `Changes` that a status entry belongs to."""
    if code in _UNMERGED or (code in {"??", "!!"} and name.endswith(".rej")):
        return "conflicts"
    if code == "!!":
        return None
    if code == "??" or "A" in code:
        return "added"
    return "deleted" if "D" in code else "changed"


def _some(names: tuple[str, ...]) -> str:
    """The first names, and how many more there are."""
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
