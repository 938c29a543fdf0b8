"""import_engine(): a vLLM release that this package does not know, from a dump of its own parser."""

from pathlib import Path
from tempfile import NamedTemporaryFile

from generator.catalogue.engines import compare, engine, engine_from_dump, known_versions
from generator.catalogue.imported import PLACE, place_of, read_dump
from generator.errors import RequestError, SourceError
from generator.models.value import Value


class ImportedEngine(Value):
    """A release that this machine knows now."""

    version: str
    path: Path
    flags: int
    beside: str
    """The release of the tables that it is compared with."""
    added: tuple[str, ...]
    """Arguments that `beside` lacks."""
    removed: tuple[str, ...]


def import_engine(file: Path) -> ImportedEngine:
    """Add the release of a dump that `scripts/dump-engine.py` wrote to this machine's releases.

    Raises:
        RequestError: the tables of this package have the release.
        SourceError: the file is no such dump, or cannot be stored.
    """
    dump = read_dump(file.expanduser())
    if dump.version in known_versions():
        raise RequestError(f"vLLM {dump.version} is in the tables already: nothing to import")
    release = engine_from_dump(dump)
    place = place_of(dump.version)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=place.parent, prefix=".engine-", delete=False) as copy:
            copy.write(dump.model_dump_json(indent=1).encode())
        Path(copy.name).replace(place)
    except OSError as error:
        raise SourceError(f"{PLACE} cannot be written: {error.strerror}") from error
    beside = known_versions()[-1]
    changes = compare(engine(beside), release)
    return ImportedEngine(
        version=dump.version,
        path=place,
        flags=len(release.flags),
        beside=beside,
        added=changes.added,
        removed=changes.removed,
    )
