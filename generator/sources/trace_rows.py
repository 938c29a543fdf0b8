"""Requests of a trace, one by one: the columns of Azure's and BurstGPT's CSV, the lines of Mooncake's JSONL."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from generator.errors import SourceError
from generator.models.trace import TraceFormat

if TYPE_CHECKING:
    from typing import TextIO


_MOST_TOKENS = 100_000_000
"""Beyond any request: the longest context of 2026 is ten million tokens."""
_LONGEST_LINE = 4_000_000
"""Letters of one request; Mooncake's longest lists some thousand blocks."""


class Arrival(NamedTuple):
    """One request."""

    at_s: float
    prompt_tokens: int
    gen_tokens: int
    blocks: tuple[int, ...] = ()
    """Ids of the blocks that its prompt begins with, each standing for all before it."""


class Columns(NamedTuple):
    """Where a CSV file has what counts, and how it writes a time."""

    format: TraceFormat
    at: str
    prompt: str
    gen: str
    seconds: Callable[[str], float]


def _date(text: str) -> float:
    """Seconds of a date as Azure writes it: 2023-11-16 18:17:03.9799600."""
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


CSV_FORMATS = (
    Columns("azure", "timestamp", "contexttokens", "generatedtokens", _date),
    Columns("burstgpt", "timestamp", "request tokens", "response tokens", float),
)
"""https://github.com/Azure/AzurePublicDataset and https://github.com/HPMLL/BurstGPT."""


def csv_rows(file: Path, lines: TextIO) -> tuple[Columns, Iterator[Arrival]]:
    """The format of a CSV file by its head, and its requests.

    Raises:
        SourceError: the head is of no format that is known; while they are read, a row is no request.
    """
    reader = csv.reader(lines)
    try:
        head = [name.strip().casefold() for name in next(reader, [])]
    except csv.Error as error:
        raise SourceError(f"{file} is no trace: its first line is no CSV ({error}); {KNOWN}") from error
    found = next((one for one in CSV_FORMATS if {one.at, one.prompt, one.gen} <= set(head)), None)
    if found is None:
        raise SourceError(f"{file} is no trace: its first line names none of the columns that are known; {KNOWN}")
    return found, _csv_arrivals(file, reader, found, [head.index(name) for name in found[1:4]])


def _csv_arrivals(file: Path, reader: Any, columns: Columns, places: list[int]) -> Iterator[Arrival]:
    at, prompt, gen = places
    try:
        for row in reader:
            if row:
                yield Arrival(columns.seconds(row[at].strip()), _tokens(row[prompt]), _tokens(row[gen]))
    except (csv.Error, ValueError, IndexError, OverflowError) as error:
        raise _bad(file, reader.line_num, error) from error


def jsonl_rows(file: Path, lines: TextIO) -> Iterator[Arrival]:
    """The requests of Mooncake's JSONL, whose times are milliseconds.

    Raises:
        SourceError: a line is no request.
    """
    number = 0
    try:
        while line := lines.readline(_LONGEST_LINE):
            number += 1
            if line.strip():
                yield _arrival(json.loads(line))
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise _bad(file, number, error) from error


def _arrival(said: Any) -> Arrival:
    blocks = said.get("hash_ids", []) if isinstance(said, dict) else None
    if not isinstance(blocks, list) or not all(isinstance(one, int) for one in blocks):
        raise TypeError("it is no object with input_length, output_length and timestamp")
    prompt, gen = _tokens(said["input_length"]), _tokens(said["output_length"])
    return Arrival(_seconds(said["timestamp"]) / 1000, prompt, gen, tuple(blocks))


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"timestamp {value!r} is no number")
    return float(value)


def _tokens(value: Any) -> int:
    """A count of tokens, as a number or as text.

    Raises:
        ValueError: it is none.
    """
    found = float(value)
    if isinstance(value, bool) or not isfinite(found) or found != int(found) or not 0 <= found <= _MOST_TOKENS:
        raise ValueError(f"{str(value)[:40]!r} is no count of tokens")
    return int(found)


def _bad(file: Path, number: int, error: Exception) -> SourceError:
    why = f"{error} is missing" if isinstance(error, KeyError) else " ".join(str(error).split())[:120]
    return SourceError(f"{file}, line {number}: no request of a trace ({why}): mend or remove the line")


KNOWN = (
    "known are Azure's CSV (TIMESTAMP,ContextTokens,GeneratedTokens), BurstGPT's CSV (Timestamp,...,Request tokens,"
    "Response tokens), Mooncake's JSONL (timestamp, input_length, output_length) and the JSON of vllm bench serve"
)
"""What may be given, as the end of a sentence."""
