"""Boot logs: one pass over the log of a start of vLLM, in constant memory.

A log may have grown to hundreds of megabytes after its start, so that lines are not taken one by one: in each piece
the anchors of the table are searched for, and only lines that hold one are read.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from generator.catalogue.boot_lines import boot_lines
from generator.errors import SourceError
from generator.models.boot import Boot
from generator.sources.boot_state import BootState

if TYPE_CHECKING:
    from generator.catalogue.boot_lines import LineRow

_PIECE = 1 << 20
"""Bytes that are read at once: they stay in the processor's cache while each anchor is searched for."""
_LONGEST_LINE = 1 << 16
"""Bytes of a line that are read; vLLM's longest, the engine's configuration, has some 6 kB."""
_LONGEST_START = 8 << 20
"""Bytes of one start that are searched for every anchor: ten times what VLLM_LOGGING_LEVEL=DEBUG logs."""
_START = b"non-default args: "
"""What every release logs once a start."""
_BEFORE_START = 4096
"""Bytes before the arguments that may hold the version."""
_ERRORS = (b"Error: ", b"Value error, ", b"error: ")
"""What lines hold that tell why a start ends."""
_LATER_ERRORS = (b"OutOfMemoryError: ", b"EngineDeadError")
"""The same of a server that answers already: its clients' errors are no end of it."""


class _Hit(NamedTuple):
    """Where an anchor stands, and the rows that are tried there; none for an error."""

    place: int
    rows: tuple[LineRow, ...]


def read_boot(source: str | Path) -> Boot:
    """The last start in a log: of the file, or of standard input for `-`.

    Raises:
        SourceError: the file cannot be read, or no line of it is of a start of vLLM.
    """
    if str(source) == "-":
        boot = boot_of(cast("io.BufferedIOBase", sys.stdin.buffer))
    else:
        try:
            with open(source, "rb", buffering=0) as file:  # noqa: PTH123 - unbuffered: pieces are read as they are
                boot = boot_of(file)
        except OSError as error:
            raise SourceError(f"{source} cannot be read: {error.strerror}") from error
    if boot.says_nothing:
        raise SourceError(
            f"{'standard input' if str(source) == '-' else source} holds no line of a start of vLLM: give the log from "
            "its beginning (docker compose logs vllm, kubectl logs POD, journalctl -u UNIT)"
        )
    return boot


def boot_of_text(text: str | bytes) -> Boot:
    """The last start in a text."""
    return boot_of(io.BytesIO(text if isinstance(text, bytes) else text.encode()))


def boot_of(stream: io.RawIOBase | io.BufferedIOBase) -> Boot:
    """The last start that a stream of log lines tells of."""
    reader, held, kept = _Reader(), bytearray(_PIECE + _LONGEST_LINE), 0
    with memoryview(held) as room:
        while read := stream.readinto(room[kept : kept + _PIECE]):
            whole = kept + read
            end = max(held.rfind(b"\n", 0, whole), held.rfind(b"\r", kept, whole)) + 1
            if not end and whole < _LONGEST_LINE:
                kept = whole
                continue
            end = end or whole
            reader.take(held, end)
            kept = whole - end
            if kept > _LONGEST_LINE:
                reader.take(held[end:whole], kept)
                kept = 0
            room[:kept] = room[end : end + kept]
    reader.take(held, kept)
    return reader.state.boot(reader.seen)


class _Reader:
    """What is known between two pieces."""

    def __init__(self) -> None:
        self.state = BootState()
        self.seen = 0
        self.start = 0
        """Where in the log the current start begins."""
        self.anchors = _anchors()

    def take(self, held: bytearray, end: int) -> None:
        """Read the lines in the first `end` bytes; what need not be read line by line is not copied."""
        offset, self.seen = self.seen, self.seen + end
        first, cut = held.find(_START, 0, end), 0
        if first >= 0:
            last = held.rfind(_START, first, end)
            self.state.starts += held.count(_START, first, end)
            if last > first or not self._attends(offset):
                cut = max(0, last - _BEFORE_START)
                self.state.forget()
                self.start = offset + cut
        if self._attends(offset + cut):
            self._read(bytes(held[cut:end]), offset + cut)
        else:
            self._glance(held, end)

    def _attends(self, offset: int) -> bool:
        """Whether a start is under way, so that every line matters."""
        return not self.state.ready and offset - self.start < _LONGEST_START

    def _read(self, piece: bytes, offset: int) -> None:
        """Every line of the piece that holds an anchor, in order."""
        for hit in sorted(_hits(piece, self.anchors), key=lambda hit: hit.place):
            line = _line(piece, hit.place)
            if not hit.rows:
                self.state.error(line)
                continue
            for row in hit.rows:
                if self.state.take(row, line):
                    self.start = offset + hit.place
                    break

    def _glance(self, held: bytearray, end: int) -> None:
        """Whether a server that ran has ended."""
        for anchor in _LATER_ERRORS:
            place = held.find(anchor, 0, end)
            if place >= 0:
                self.state.error(_line(bytes(held[:end]), place))


def _anchors() -> dict[bytes, tuple[LineRow, ...]]:
    """Rows by what is searched for, errors with none."""
    found: dict[bytes, tuple[LineRow, ...]] = {}
    for row in boot_lines():
        key = row.anchor.encode()
        found[key] = (*found.get(key, ()), row)
    return found | dict.fromkeys(_ERRORS, ())


def _hits(piece: bytes, anchors: dict[bytes, tuple[LineRow, ...]]) -> Iterator[_Hit]:
    for anchor, rows in anchors.items():
        place = piece.find(anchor)
        while place >= 0:
            yield _Hit(place, rows)
            place = piece.find(anchor, place + len(anchor))


def _line(piece: bytes, place: int) -> bytes:
    """The line around a place; progress bars end theirs with a carriage return."""
    low = max(0, place - _LONGEST_LINE)
    begin = max(piece.rfind(b"\n", low, place), piece.rfind(b"\r", low, place)) + 1
    end = piece.find(b"\n", place, place + _LONGEST_LINE)
    return piece[max(begin, low) : end if end >= 0 else place + _LONGEST_LINE]
