"""The cache of the Hub's client: small files put where the client itself looks for them."""

import re
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
"""Names below a directory, and never out of it."""
_REVISION = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._/-]{0,200}")


def folder_of(cache: Path, model: str) -> Path:
    """The model's directory of the cache (huggingface_hub's repo_folder_name)."""
    return cache / "--".join(["models", *model.split("/")])


def held(cache: Path, model: str, commit: str, name: str) -> bytes | None:
    """A file of a commit that the cache has; None where it lacks it."""
    if not _NAME.fullmatch(name):
        return None
    with suppress(OSError):
        return (folder_of(cache, model) / "snapshots" / commit / name).read_bytes()
    return None


def keep(cache: Path, model: str, revision: str | None, commit: str, files: dict[str, bytes]) -> None:
    """Keep files of a commit, and which commit the revision stands for.

    Raises:
        OSError: the cache cannot be written.
    """
    folder = folder_of(cache, model)
    for name, content in files.items():
        if _NAME.fullmatch(name):
            _write(folder / "snapshots" / commit / name, content)
    stated = revision or "main"
    if stated != commit and _REVISION.fullmatch(stated):
        _write(folder / "refs" / stated, commit.encode())


def _write(place: Path, content: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=place.parent, prefix=".vllm-wizard-", delete=False) as new:
        new.write(content)
    Path(new.name).chmod(0o644)
    Path(new.name).replace(place)
