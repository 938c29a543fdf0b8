"""The deployment repository as git sees it: what is refused, what an update changed, how it is restored."""

import os
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from generator.errors import RenderError, SourceError
from generator.models.update import Changes
from generator.presenting.text import some
from generator.rendering.answers import ANSWERS_FILE
from generator.rendering.git import git

_MARKERS = "^(<<<<<<< before updating|>>>>>>> after updating)"
_UNMERGED = {"DD", "AU", "UD", "UA", "DU", "AA", "UU"}
_SERVE = "serve.yaml"
_SPECIAL = re.compile(r"[*?\[\]\\!#]| +$")
_FALLBACK_IDENTITY = ("-c", "user.name=vllm-wizard", "-c", "user.email=vllm-wizard@localhost")


def refuse_unready(root: Path) -> None:
    """Return only where `root` is committed in git, clean, and free of an earlier update's conflicts.

    Raises:
        RenderError: it is not; says what to do first.
    """
    refuse_unborn(root)
    now = changes(root)
    if ANSWERS_FILE in now.conflicts:
        raise RenderError("two branches changed the answers: run `vllm-wizard update --resolve` and commit first")
    if now.conflicts:
        raise RenderError(f"unresolved conflicts in {some(now.conflicts)}: resolve and commit them first")
    if now.any:
        files = (*now.changed, *now.added, *now.deleted)
        adopted = ", or make them part of the plan with `vllm-wizard adopt`" if files == (_SERVE,) else ""
        raise RenderError(f"uncommitted changes in {some(files)}: commit or stash them first{adopted}")
    marked = git("grep", "-lIzE", "-e", _MARKERS, "--", ".", at=root, accept=(0, 1)).split("\0")[:-1]
    if marked:
        raise RenderError(f"conflict markers are committed in {some(tuple(marked))}: resolve them first")


def refuse_unborn(root: Path) -> None:
    """Return only where git has a commit of the repository around `root`.

    Raises:
        RenderError: it has none, or does not read it.
    """
    try:
        git("rev-parse", "--verify", "--quiet", "HEAD", at=root)
    except RenderError as error:
        if why := refusal(root):
            raise RenderError(why) from error
        raise RenderError(
            f"{root} is no git repository with a commit: `git init && git add -A && git commit` there first"
        ) from error


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


def restore_owned(root: Path, patterns: Iterable[str]) -> None:
    """Bring back what an update of a tree of our own did to files that are the user's, and were there before."""
    from generator.rendering.plain import matches  # noqa: PLC0415 - start-up time of `check`

    now, owned = changes(root), tuple(patterns)
    names = [name for name in (*now.changed, *now.deleted, *now.conflicts) if matches(name, owned)]
    held = set(git("ls-tree", "-r", "-z", "--name-only", "HEAD", "--", ".", at=root).split("\0")) if names else set()
    back = [name for name in names if name in held]
    if back:
        git("--literal-pathspecs", "restore", "--source=HEAD", "--staged", "--worktree", "--", *back, at=root)


def patterns(names: Iterable[str]) -> tuple[str, ...]:
    """Names of files and directories (with a slash) as .gitignore patterns for Copier."""
    return tuple("{% raw %}/" + _SPECIAL.sub(r"\\\g<0>", name) + "{% endraw %}" for name in names)


def left_alone(root: Path) -> tuple[str, ...]:
    """Names of what no update may write to under `root`, a directory's with a slash at its end.

    Git cannot bring ignored ones back, nor what it was told not to look at. Copier cannot merge a file that is binary,
    UTF-16 included, or no UTF-8, and writes through a linked directory: all without a word.
    """
    words = ("ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z")
    ignored = git(*words, "--", ".", at=root).split("\0")[:-1]
    listed = (line.split("\t", 1) for line in git("ls-files", "--eol", "-z", "--", ".", at=root).split("\0")[:-1])
    texts = {name: kind.startswith("i/-text") for kind, name in listed}
    unmerged = [name for name, binary in texts.items() if _is_unmergeable(root / name, binary=binary)]
    flagged = [row[2:] for row in git("ls-files", "-v", "-z", "--", ".", at=root).split("\0")[:-1] if _is_flagged(row)]
    hidden = [name for name in flagged if os.path.lexists(root / name)]
    linked = [f"{name}/" for name in (*ignored, *texts) if (root / name).is_symlink() and (root / name).is_dir()]
    return tuple(dict.fromkeys((*ignored, *unmerged, *hidden, *linked)))


def untracked(root: Path) -> tuple[str, ...]:
    """Files under `root` that git neither has nor ignores."""
    return tuple(git("ls-files", "--others", "--exclude-standard", "-z", "--", ".", at=root).split("\0")[:-1])


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


def is_in_git(place: Path) -> bool:
    """Whether git has a repository around the directory `place`."""
    return place.is_dir() and bool(git("rev-parse", "--git-dir", at=place, accept=(0, 128)).strip())


def create(root: Path, message: str) -> str:
    """The id of the first commit of a new repository at `root` that holds every file there."""
    git("init", "--quiet", "--initial-branch=main", at=root)
    git("-c", "core.excludesFile=", "add", "--all", at=root)
    words = ("commit", "--quiet", "--no-verify", "--no-gpg-sign", "--message", message)
    git(*identity(root), *words, at=root)
    return git("rev-parse", "HEAD", at=root).strip()


def moved(tree: Path, place: Path) -> None:
    """Move a finished tree to `place`, which may lie on another file system.

    Raises:
        SourceError: the place cannot be written.
    """
    try:
        shutil.move(tree, place)
    except OSError as error:
        raise SourceError(f"{place} cannot be written: {error.strerror}; name another directory") from error


def identity(root: Path) -> tuple[str, ...]:
    """Git's own words before a command that commits: none where it knows who does."""
    return () if _has_identity(root) else _FALLBACK_IDENTITY


def _is_flagged(row: str) -> bool:
    """True where `git ls-files -v` says that git was told not to look at the file."""
    return row[0] == "S" or row[0].islower()


def _is_unmergeable(path: Path, *, binary: bool) -> bool:
    """True for binary files as git's diff sees them (buffer_is_binary in xdiff-interface.c), and what is no UTF-8."""
    if not path.is_file():
        return False
    content = path.read_bytes()
    if binary and b"\0" in content[:8000]:
        return True
    try:
        content.decode()
    except UnicodeDecodeError:
        return True
    return False


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
