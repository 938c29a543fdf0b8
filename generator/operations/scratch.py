"""A linked working tree beside the deployment's own: work is done there, and only its result is brought back."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from generator.rendering.git import git
from generator.rendering.workspace import PREFIX, is_dead, workspace
from generator.rendering.workspace import clear as clear_workspaces

IDENTITY = ("-c", "user.name=vllm-wizard", "-c", "user.email=vllm-wizard@localhost", "-c", "commit.gpgSign=false")
_RULES = (".gitattributes", ".gitignore")
_NO_DOWNLOADS = {"GIT_LFS_SKIP_SMUDGE": "1"}


@contextmanager
def worktree(place: Path, commit: str) -> Iterator[Path]:
    """The deployment of `place` as of `commit`, in a working tree that is gone afterwards; no branch moves.

    Of a larger repository nothing else is checked out but the rules above the deployment's directory.
    """
    prefix = git("rev-parse", "--show-prefix", at=place).rstrip("\n")
    with workspace() as folder:
        tree = folder / "tree"
        part = ("--no-checkout",) if prefix else ()
        git("worktree", "add", "--quiet", "--detach", *part, str(tree), commit, at=place, env=_NO_DOWNLOADS)
        try:
            if prefix:
                _check_out(tree, prefix)
            yield tree / prefix
        finally:
            git("worktree", "remove", "--force", "--force", str(tree), at=place, accept=(0, 128))
            shutil.rmtree(tree, ignore_errors=True)
            clear(place)


def clear(place: Path) -> None:
    """Forget the scratch trees of dead processes; a linked working tree of the user's is none, also if it is away."""
    clear_workspaces(Path(tempfile.gettempdir()))
    common = place / git("rev-parse", "--git-common-dir", at=place).rstrip("\n")
    for note in (common / "worktrees").glob("*/gitdir"):
        try:
            tree = Path(note.read_text(encoding="utf-8").strip()).parent
        except (OSError, UnicodeDecodeError):
            continue
        if tree.name == "tree" and tree.parent.name.startswith(PREFIX) and is_dead(tree.parent):
            shutil.rmtree(tree.parent, ignore_errors=True)
            shutil.rmtree(note.parent, ignore_errors=True)


def save(place: Path, message: str) -> str:
    """Commit everything in the working tree of `place`; the commit's id. Only for a tree of `worktree`."""
    git("add", "--all", "--force", "--", ".", at=place)
    git(*IDENTITY, "commit", "--quiet", "--no-verify", "--allow-empty", "--message", message, at=place)
    return git("rev-parse", "HEAD", at=place).strip()


def _check_out(tree: Path, prefix: str) -> None:
    """Fill the index, and the one directory with the rules of those above it."""
    git("read-tree", "HEAD", at=tree)
    above = [folder / name for folder in Path(prefix).parents for name in _RULES]
    names = git("--literal-pathspecs", "ls-files", "-z", "--", *map(str, above), at=tree)
    git("checkout-index", "--index", "--quiet", "-z", "--stdin", at=tree, stdin=names, env=_NO_DOWNLOADS)
    (tree / prefix).mkdir(parents=True, exist_ok=True)
    git("checkout-index", "--index", "--quiet", "--all", at=tree / prefix, env=_NO_DOWNLOADS)
