"""The deployment repository as git sees it: what is refused, what an update changed, how it is restored."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from generator.errors import RenderError
from generator.models.update import Changes
from generator.rendering.answers import ANSWERS_FILE
from generator.rendering.git import git

if TYPE_CHECKING:
    from collections.abc import Sequence

_MARKERS = "^(<<<<<<< before updating|>>>>>>> after updating)"
_UNMERGED = {"DD", "AU", "UD", "UA", "DU", "AA", "UU"}
_SHOWN = 5
_SERVE = "serve.yaml"
_SPECIAL = re.compile(r"[*?\[\]\\!#]| +$")
_FALLBACK_IDENTITY = ("-c", "user.name=vllm-wizard", "-c", "user.email=vllm-wizard@localhost")


def refuse_unready(root: Path) -> None:
    """Return only where `root` is committed in git, clean, and free of an earlier update's conflicts.

    Raises:
        RenderError: it is not; says what to do first.
    """
    try:
        git("rev-parse", "--verify", "--quiet", "HEAD", at=root)
    except RenderError as error:
        if why := refusal(root):
            raise RenderError(why) from error
        raise RenderError(
            f"{root} is no git repository with a commit: `git init && git add -A && git commit` there first"
        ) from error
    now = changes(root)
    if ANSWERS_FILE in now.conflicts:
        raise RenderError("two branches changed the answers: run `vllm-wizard update --resolve` and commit first")
    if now.conflicts:
        raise RenderError(f"unresolved conflicts in {_some(now.conflicts)}: resolve and commit them first")
    if now.any:
        files = (*now.changed, *now.added, *now.deleted)
        adopted = ", or make them part of the plan with `vllm-wizard adopt`" if files == (_SERVE,) else ""
        raise RenderError(f"uncommitted changes in {_some(files)}: commit or stash them first{adopted}")
    marked = git("grep", "-lIzE", "-e", _MARKERS, "--", ".", at=root, accept=(0, 1)).split("\0")[:-1]
    if marked:
        raise RenderError(f"conflict markers are committed in {_some(tuple(marked))}: resolve them first")


def refusal(root: Path) -> str:
    """Why git does not read the repository around `root`, which is another user's, say; empty where there is none."""
    try:
        git("--version", at=root)
        if any((folder / ".git").exists() for folder in (root, *root.parents)):
            git("rev-parse", "--git-dir", at=root)
    except RenderError as error:
        return str(error)
    return ""


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


def untouchable(root: Path) -> tuple[str, ...]:
    """Files and directories under `root` that no update may write to, as .gitignore patterns for Copier."""
    return tuple("{% raw %}/" + _SPECIAL.sub(r"\\\g<0>", name) + "{% endraw %}" for name in left_alone(root))


def left_alone(root: Path) -> tuple[str, ...]:
    """Names of what no update may write to under `root`, a directory's with a slash at its end.

    Git cannot bring ignored ones back, and Copier cannot merge edits that made a file binary, UTF-16 included: it would
    write over both without a word.
    """
    words = ("ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z")
    ignored = git(*words, "--", ".", at=root).split("\0")[:-1]
    listed = (line.split("\t", 1) for line in git("ls-files", "--eol", "-z", "--", ".", at=root).split("\0")[:-1])
    binary = [name for kind, name in listed if kind.startswith("i/-text") and _is_binary(root / name)]
    return (*ignored, *binary)


def keep_dropped(root: Path, names: Sequence[str]) -> None:
    """Make edited files that an update deleted conflicts: as they were, for the user to decide."""
    if not names:
        return
    git("restore", "--source=HEAD", "--staged", "--worktree", "--", *names, at=root)
    listing = git("ls-tree", "-z", "--full-name", "HEAD", "--", *names, at=root).split("\0")[:-1]
    rows = (re.fullmatch(r"(\d+) blob ([0-9a-f]+)\t(.+)", line, re.DOTALL) for line in listing)
    held = [found.groups() for found in rows if found]
    entries = [
        f"0 {'0' * len(sha)}\t{path}\0{mode} {sha} 1\t{path}\0{mode} {sha} 2\t{path}\0" for mode, sha, path in held
    ]
    git("update-index", "-z", "--index-info", at=root, stdin="".join(entries))


def committed(root: Path, name: str) -> bytes:
    """Content of a file under `root` as of the last commit, its line ends as git printed them."""
    return git("show", f"HEAD:./{name}", at=root).encode("utf-8", "surrogateescape")


def enclosing(place: Path) -> Path | None:
    """The git repository that would track a new directory at `place`; None where none would, or it is ignored there."""
    above = next(folder for folder in place.parents if folder.is_dir())
    found = git("rev-parse", "--show-toplevel", at=above, accept=(0, 128)).rstrip("\n")
    if not found or git("check-ignore", "--verbose", "--", f"{place}/", at=above, accept=(0, 1, 128)):
        return None
    return Path(found)


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


def _is_binary(path: Path) -> bool:
    """As git's diff sees it (buffer_is_binary in xdiff-interface.c)."""
    return path.is_file() and b"\0" in path.read_bytes()[:8000]


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
