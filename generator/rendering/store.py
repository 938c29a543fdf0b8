"""Where released templates come from: the package, the place that every machine knows, and addresses of remotes."""

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from tempfile import NamedTemporaryFile

from packaging.version import InvalidVersion, Version

from generator.errors import RenderError, RequestError
from generator.rendering import trust
from generator.rendering.git import fetching, git

STORE = "~/.local/share/vllm-wizard/templates.bundle"
"""Recorded literally, so that a teammate's machine resolves it too; the shell's `~` and Copier's are one."""
PACKAGED = Path(__file__).parents[1] / "_data" / "templates.bundle"
CHECKOUT = Path(__file__).parents[2]
"""Of the development checkout that this package runs from; of an installed one, no template lies there."""

WORKTREE = "worktree"
_IGNORED = shutil.ignore_patterns("__pycache__", "*.py[co]", ".DS_Store", "*~", "*.swp")


def ensure(packaged: Path = PACKAGED) -> str:
    """The store's address, once it holds at least what this package ships, unless it holds a newer history.

    Raises:
        RenderError: this package ships no release, or a released tag of the store was moved.
    """
    shipped = tags(str(packaged))
    place = Path(STORE).expanduser()
    own = held(STORE)
    moved = sorted(tag for tag in shipped.keys() & own.keys() if shipped[tag] != own[tag])
    if moved:
        raise RenderError(
            f"template {moved[0]} in {STORE} is not the released one: move that file away and run this again"
        )
    if own.keys() <= shipped.keys() and not _is_same(packaged, place):
        _place(packaged, place)
    return STORE


def replace_damaged(packaged: Path = PACKAGED) -> bool:
    """True where the store, which cannot be read, was not the package's own already, and is now.

    A truncated bundle still lists its tags. Releases that only a newer vllm-wizard ships come back with its next run.

    Raises:
        RenderError: it cannot be written.
    """
    place = Path(STORE).expanduser()
    if _is_same(packaged, place):
        return False
    _place(packaged, place)
    return True


def location(source: str) -> str:
    """The address as git takes it."""
    return str(Path(source).expanduser()) if source.startswith("~") else source.removeprefix("git+")


def newest(source: str) -> str:
    """The newest release of a template source; prereleases are left out.

    Raises:
        RenderError: it has none, or cannot be reached.
    """
    found = newest_of(tags(source))
    if found is None:
        raise RenderError(f"{source} has no released template")
    return found


def newest_of(known: Iterable[str]) -> str | None:
    """The newest release among tags; None where there is none."""
    return max(filter(_is_release, known), key=Version, default=None)


def tags(source: str) -> dict[str, str]:
    """Commit of every tag of a bundle or a git remote.

    Raises:
        RenderError: the source cannot be read.
    """
    place = Path(location(source))
    if place.suffix == ".bundle":
        if not place.is_file():
            raise RenderError(f"{source} does not exist: run `vllm-wizard template sync`")
        listing = git("bundle", "list-heads", str(place), at=Path("/"))
    else:
        with fetching():
            listing = git("ls-remote", "--tags", "--", location(source), at=Path("/"))
    heads = (line.replace("\t", " ").partition(" ") for line in listing.split("\n"))
    pairs = [(name.removeprefix("refs/tags/"), sha) for sha, _, name in heads if name.startswith("refs/tags/")]
    peeled = {name.removesuffix("^{}"): sha for name, sha in pairs if name.endswith("^{}")}
    return {name: sha for name, sha in pairs if not name.endswith("^{}")} | peeled


def held(source: str) -> dict[str, str]:
    """Releases of a template source; none where it cannot be read."""
    try:
        return tags(source)
    except RenderError:
        return {}


def known(packaged: Path = PACKAGED) -> dict[str, str]:
    """Releases that this machine's store or the package has; of equal files one is asked."""
    same = _is_same(packaged, Path(STORE).expanduser())
    return held(str(packaged)) if same else held(STORE) | held(str(packaged))


def moved(version: str, source: str, before: str, after: str) -> str:
    """What is wrong with a version that names another commit than it did."""
    return f"{version} of {source} was moved from commit {before[:12]} to {after[:12]}"


def config_of(checkout: Path) -> Path:
    """The checkout's copier.yml.

    Raises:
        RequestError: `checkout` has no template.
    """
    config = checkout / trust.CONFIG
    if not config.is_file() or not (checkout / "templates").is_dir():
        raise RequestError("only a development checkout has a template of its own: name a released one")
    return config


def copy_worktree(checkout: Path, scratch: Path) -> str:
    """A clean copy of the checkout's template under `scratch`, whose address is recorded like the store's.

    Raises:
        RequestError: `checkout` is an installed package, not a development checkout.
    """
    place = scratch / ".local" / "share" / "vllm-wizard" / WORKTREE
    copy_template(checkout, place)
    return str(place)


def copy_template(checkout: Path, place: Path) -> None:
    """Put the checkout's copier.yml and templates/ into the directory `place`.

    Raises:
        RequestError: `checkout` has none.
        RenderError: it would run more than this package's planner.
    """
    config = config_of(checkout)
    trust.refuse_foreign_config(config.read_text(encoding="utf-8"), str(config))
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy2(config, place / trust.CONFIG)
    shutil.copytree(checkout / "templates", place / "templates", ignore=_IGNORED)


def _is_same(packaged: Path, place: Path) -> bool:
    """True where the store holds the package's bundle, byte for byte."""
    try:
        return place.stat().st_size == packaged.stat().st_size and place.read_bytes() == packaged.read_bytes()
    except OSError:
        return False


def _place(packaged: Path, place: Path) -> None:
    """Copy the bundle in one step, so that a reader meets the old or the new one."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=place.parent, prefix=".templates-", delete=False) as copy:
            copy.write(packaged.read_bytes())
        Path(copy.name).chmod(0o644)
        Path(copy.name).replace(place)
    except OSError as error:
        home = f" (HOME is {os.environ.get('HOME', 'not set')})"
        raise RenderError(f"{STORE}{home} cannot be written: {error.strerror}") from error


def is_older(tag: str, than: str) -> bool:
    """Whether the tag is a version before `than`; False where either is no version, which only git can order."""
    try:
        return Version(tag) < Version(than)
    except InvalidVersion:
        return False


def _is_release(tag: str) -> bool:
    try:
        return not Version(tag).is_prerelease
    except InvalidVersion:
        return False


def order(tag: str) -> Version:
    """The tag as a version; what is no release comes first."""
    return Version(tag) if _is_release(tag) else Version("0")


_SECRET = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)(?P<user>[^/?#\s]*)@")
_QUERY = re.compile(r"(?i)([?&](?:[a-z_-]*(?:token|password|passwd|secret|api[_-]?key))=)[^&#\s]+")
_SSH = ("ssh://", "git+ssh://", "ssh+git://")


def has_secret(address: str) -> bool:
    """True where the address holds a password or a token; the bare user name of an SSH address is none."""
    found = _SECRET.search(address)
    if found and not (found["scheme"].lower() in _SSH and ":" not in found["user"]):
        return True
    return bool(_QUERY.search(address))


def shown(address: str) -> str:
    """The address as it may be printed."""
    if not has_secret(address):
        return address
    return _QUERY.sub(r"\1***", _SECRET.sub(r"\g<scheme>***@", address))


def refuse_secret(address: str) -> None:
    """Return only where the address may be written into a file that is committed.

    Raises:
        RequestError: it holds a password or a token.
    """
    if has_secret(address):
        raise RequestError(
            f"{shown(address)} holds a password or a token, which would be committed: leave it out, and let git keep"
            " it (git config credential.helper store, or a deploy key over SSH)"
        )
