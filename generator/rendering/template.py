"""opened(): a template's history as it is now, copied once: what is checked is what Copier renders."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from generator.errors import RenderError, RequestError
from generator.rendering import store, trust
from generator.rendering.git import fetching, git
from generator.rendering.workspace import workspace


@dataclass(frozen=True)
class Template:
    """One template's history on this machine."""

    source: str
    """Its address, as answers record it."""
    place: Path
    """A bare repository of our own that nobody else writes to."""
    tags: Mapping[str, str]
    """Commit of every tag."""
    shipped: Mapping[str, str]
    """Those of the package's own releases, whose content needs no second look."""

    @property
    def newest(self) -> str:
        """The newest release; prereleases are left out.

        Raises:
            RenderError: there is none.
        """
        found = store.newest_of(self.tags)
        if found is None:
            raise RenderError(f"{self.source} has no released template")
        return found

    def is_ours(self, ref: str) -> bool:
        """True where this package ships the very commit."""
        return ref in self.tags and self.shipped.get(ref) == self.tags[ref]

    def refuse_untrusted(self, refs: frozenset[str], recorded: Mapping[str, str | None] | None = None) -> None:
        """Return only where rendering these versions runs no code but this package's.

        A version in `recorded` must still name that commit: an update starts from what the deployment was given.

        Raises:
            RequestError: the package's own history lacks a version.
            RenderError: a version is unknown, was moved, or would run more.
        """
        for version, commit in (recorded or {}).items():
            if commit and self.tags.get(version, commit) != commit:
                moved = store.moved(version, self.source, commit, self.tags[version])
                raise RenderError(f"template {moved}: put that tag back, and release the change under a new version")
        for ref in sorted(refs - self.tags.keys()):
            if self.source == store.STORE:
                raise RequestError(
                    f"template {ref} is not among {', '.join(sorted(self.tags, key=store.order))}: run"
                    " `vllm-wizard template sync`, or install the vllm-wizard that brought it"
                )
            raise RenderError(f"{store.shown(self.source)} has no template {ref}: publish it there first")
        for ref in sorted(refs):
            if not self.is_ours(ref):
                trust.refuse_foreign(self.place, self.tags[ref], f"template {ref} of {store.shown(self.source)}")

    def config(self, ref: str) -> str:
        """The text of copier.yml at `ref`.

        Raises:
            RenderError: there is none.
        """
        return trust.config_of(self.place, self.tags.get(ref, ref))


@contextmanager
def opened(source: str, packaged: Path = store.PACKAGED) -> Iterator[Template]:
    """The template at `source`, copied whole; the package's own history is brought up to date, and mended, first.

    Raises:
        RequestError: the address holds a password.
        RenderError: it cannot be read.
    """
    store.refuse_secret(source)
    if source == store.STORE:
        store.ensure(packaged)
    shipped = store.tags(str(packaged)) if packaged.is_file() else {}
    with workspace() as folder:
        place = folder / "template.git"
        try:
            _clone(source, place)
        except RenderError:
            if source != store.STORE or not store.replace_damaged(packaged):
                raise
            _clone(source, place)
        yield Template(source=source, place=place, tags=store.tags(str(place)), shipped=shipped)


def _clone(source: str, place: Path) -> None:
    words = ("clone", "--quiet", "--bare", "--", store.location(source), place.name)
    with fetching():
        git(*words, at=place.parent)
