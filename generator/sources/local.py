"""A model in a local directory: config.json and the headers of its safetensors files."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from generator.errors import SourceError
from generator.models.checkpoint import ModelFacts
from generator.sources.config import assemble, parse_json, parse_object
from generator.sources.places import absolute
from generator.sources.repository_files import brings_tokenizer, sentence_facts
from generator.sources.safetensors_headers import (
    INDEX_FILE,
    MAX_HEADER_BYTES,
    PREFIX_BYTES,
    Tensor,
    header_bytes,
    parse_header,
    shard_names,
)

if TYPE_CHECKING:
    from typing import Any


_JSON_BYTES = 16 * 1024**2
_HEADERS_BYTES = 1024**3
"""Of all files of one model: 2,000 of DeepSeek-V3's."""


def local_facts(model: str, *, progress: Callable[[int, int], None] | None = None) -> ModelFacts:
    """Facts of the model in directory `model`; `progress` is told of headers read and headers in all.

    Raises:
        SourceError: the directory, its config.json or one of its files is missing or unreadable.
    """
    directory = absolute(model)
    if not directory.is_dir():
        raise SourceError(f"{directory} is not a directory: give a Hub id or a directory with config.json.")
    config = read_object(directory / "config.json")
    if config is None:
        raise SourceError(f"{directory} has no config.json: give the directory that `vllm serve` would load.")
    return assemble(
        id=str(directory),
        revision=None,
        source="local",
        config=config,
        quant_config=read_object(directory / "hf_quant_config.json"),
        tensors=directory_tensors(directory, progress=progress),
        sentence=sentence_facts(lambda name: read_value(below(directory, name)), config),
        tokenizer_code=brings_tokenizer(lambda name: read_value(directory / name)),
    )


def below(directory: Path, name: str) -> Path:
    """A file that another one names, in the directory and nowhere else.

    Raises:
        SourceError: the name leads out of it.
    """
    if ".." in Path(name).parts or Path(name).is_absolute():
        raise SourceError(f"{directory} names {name[:80]!r}, which lies outside: fetch the model again.")
    return directory / name


def directory_tensors(
    directory: Path, *, progress: Callable[[int, int], None] | None = None
) -> tuple[Tensor, ...] | None:
    """Tensors of all safetensors files that hold the directory's weights; None where there are none.

    Raises:
        SourceError: one of them, or the directory, cannot be read.
    """
    try:
        files = sorted(path.name for path in directory.iterdir())
    except OSError as error:
        raise _unreadable(directory, error) from error
    shards = shard_names(files, read_object(directory / INDEX_FILE))
    tensors: list[Tensor] = []
    for done, shard in enumerate(shards, start=1):
        tensors.extend(_file_tensors(directory / shard))
        if progress is not None:
            progress(done, len(shards))
    return tuple(tensors) if shards else None


def read_object(path: Path) -> dict[str, Any] | None:
    """The JSON object in `path`; None where there is no such file.

    Raises:
        SourceError: the file cannot be read, or is no JSON object.
    """
    text = _text(path)
    return None if text is None else parse_object(text, str(path))


def read_value(path: Path) -> Any:
    """The JSON value in `path`; None where there is no such file.

    Raises:
        SourceError: the file cannot be read, or is no JSON.
    """
    text = _text(path)
    return None if text is None else parse_json(text, str(path))


def _text(path: Path) -> bytes | None:
    most = MAX_HEADER_BYTES if path.name == INDEX_FILE else _JSON_BYTES
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise SourceError(f"{path} is no file: give the directory that `vllm serve` would load.")
        with path.open("rb") as file:
            text = file.read(most + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(text) > most:
        raise SourceError(f"{path} is longer than {most:,} bytes: no such file of a model is.")
    return text


def _file_tensors(path: Path) -> tuple[Tensor, ...]:
    """Tensors of one file, from its first bytes; no weight is read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise SourceError(f"{path} is no file: fetch it again.")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = header_bytes(file.read(PREFIX_BYTES), str(path))
            data_bytes = size - PREFIX_BYTES - length
            header = file.read(length) if data_bytes >= 0 else b""
    except OSError as error:
        raise _unreadable(path, error) from error
    return parse_header(header, str(path), data_bytes=data_bytes)


def _unreadable(path: Path, error: OSError) -> SourceError:
    return SourceError(f"{path} cannot be read ({error.strerror}): check the path and its permissions.")
