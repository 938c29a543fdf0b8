"""vLLM releases that this package does not know and this machine does: dumps of their own parsers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from generator.errors import SourceError

if TYPE_CHECKING:
    from generator.catalogue.engine_dump import EngineDump

PLACE = "~/.local/share/vllm-wizard/engines"
VERSION = re.compile(r"\d+\.\d+\.\d+(\.?[a-z]+\d*)?")
"""A release, or a release candidate, post or development release: what names one file and one image."""


def imported_versions() -> tuple[str, ...]:
    """Releases that were imported on this machine."""
    try:
        names: Iterable[str] = [file.stem for file in Path(PLACE).expanduser().glob("*.json")]
    except (OSError, RuntimeError):
        return ()
    return tuple(name for name in names if VERSION.fullmatch(name))


def imported_dump(version: str) -> EngineDump:
    """What was imported of one release.

    Raises:
        SourceError: the file is not readable any more.
    """
    return read_dump(place_of(version))


def place_of(version: str) -> Path:
    """The file of one imported release."""
    return Path(PLACE).expanduser() / f"{version}.json"


def read_dump(path: Path) -> EngineDump:
    """A file that `dump-engine.py` wrote.

    Raises:
        SourceError: it cannot be read, or is none; says what is wrong with it.
    """
    from generator.catalogue.engine_dump import EngineDump  # noqa: PLC0415 - start-up time

    try:
        dump = EngineDump.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise SourceError(
            f"{path} is no dump of a vLLM parser: {where}: {first['msg']}; run dump-engine.py again"
        ) from error
    if not VERSION.fullmatch(dump.version):
        raise SourceError(f"{path}: {dump.version!r} is no vLLM release like 0.34.0")
    if len(dump.flags) != dump.n_flags or "--gpu-memory-utilization" not in dump.flags:
        raise SourceError(f"{path} is cut off, or of another program: run dump-engine.py again")
    return dump
