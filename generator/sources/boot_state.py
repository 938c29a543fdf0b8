"""BootState: what the lines of one start have told so far."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from generator.catalogue.boot_lines import boot_failures
from generator.models.boot import Boot, Failure, Ranks
from generator.models.release import release_key
from generator.units import gib

if TYPE_CHECKING:
    from generator.catalogue.boot_lines import FailureRow, LineRow

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
"""Control sequences of a terminal: colours (ECMA-48, 5.4)."""
_ARGUMENT = re.compile(r"'(\w+)': ('[^']*'|\"[^\"]*\"|True|False|None|-?[\d.]+(?:e-?\d+)?)(?=[,}])")
_CONFIG = re.compile(
    r"\b(dtype|quantization|kv_cache_dtype|enforce_eager|max_seq_len|tensor_parallel_size|pipeline_parallel_size"
    r"|data_parallel_size|enable_prefix_caching|load_format)=(?:torch\.)?([\w.+-]+)"
)
_MODEL = re.compile(r"model='([^']*)'")
_ERROR = re.compile(r"(?:^|[\s(])((?:[\w.]*(?:Error|Exception)|Value error,|error):? .*)", re.DOTALL)
_FOLLOWS = ("Engine core initialization failed", "WorkerProc initialization failed", "See root cause above")
"""What one process says of the end of another."""
_RANKED = {
    "weights_gib": "weights_bytes",
    "free_gib": "free_bytes",
    "graph_gib": "graph_bytes",
    "cache_gib": "cache_bytes",
}
_SINGLE = {
    "total_gib": "total_bytes",
    "requested_gib": "requested_bytes",
    "consumed_gib": "consumed_bytes",
    "non_torch_gib": "non_torch_bytes",
    "activation_gib": "activation_bytes",
}
_READ: dict[str, Callable[[str], Any]] = {
    "context": lambda text: int(text.replace(",", "")),
    "cache_tokens": lambda text: int(text.replace(",", "")),
    "batched_tokens": int,
    "concurrency": float,
    "utilization": float,
    "load_s": float,
    "compile_s": float,
    "capture_s": float,
    "engine_s": float,
    "ready": bool,
    "compiled_before": bool,
}
_ESTIMATE_USED_SINCE = (0, 20)
"""Release from which the profile takes its estimate for graphs off the cache by default (0.20.2 envs.py:261)."""
_BEGINNINGS = frozenset({"version", "model"})
"""Figures that come before the arguments."""
_MOST_ERRORS = 400
"""Lines with an error that are looked at in one start."""
_LONGEST_MESSAGE = 600


class BootState:
    """The figures of the start that is being read."""

    def __init__(self) -> None:
        self.starts = 0
        self.forget()

    def forget(self) -> None:
        """Drop what an earlier start told."""
        self._figures: dict[str, Any] = {}
        self._seen: set[str] = set()
        self._estimate: int | None = None
        self._peak: int | None = None
        self._used: bool | None = None
        self._errors = 0
        self._failure: Failure | None = None

    @property
    def ready(self) -> bool:
        """Whether the server answers."""
        return bool(self._figures.get("ready"))

    def take(self, row: LineRow, line: bytes) -> bool:
        """Read a line by a row of the table; whether it fits."""
        found = re.search(row.pattern, _clean(line))
        if found is None or not (row.starts or row.is_of(self._figures.get("version"))):
            return False
        if row.starts:
            self._starting(row.name)
        for name, text in found.groupdict().items():
            if text is not None:
                self._put(name, text)
        return row.starts

    def error(self, line: bytes) -> None:
        """Look at a line that tells an error: the first that is known stands, else the first of all."""
        if self._errors >= _MOST_ERRORS or (self._failure is not None and self._failure.kind != "unknown"):
            return
        self._errors += 1
        text = _clean(line)
        known = next((row for row in boot_failures() if _compiled(row.pattern).search(text)), None)
        if known is not None:
            self._failure = _failure(known, text)
        elif self._failure is None and (told := _ERROR.search(text)) and not any(word in text for word in _FOLLOWS):
            says = "vLLM ended with an error that no row of the tables knows"
            self._failure = Failure(kind="unknown", says=says, message=told[1].strip()[:_LONGEST_MESSAGE])

    def boot(self, read_bytes: int) -> Boot:
        """The start as far as it was read."""
        figures = dict(self._figures)
        weights, consumed = figures.get("weights_bytes"), figures.get("consumed_bytes")
        used = self._estimate if self._uses_estimate else None
        if self._peak is not None:
            figures["activation_bytes"] = self._peak - (used or 0)
        if consumed is not None and weights is not None:
            figures.setdefault("non_torch_bytes", consumed - weights.high)
        if used is not None:
            figures["graph_estimate_bytes"] = used
        if figures.get("weights_bytes") is not None:
            figures.setdefault("compiled_before", False if "compile_s" in figures else None)
        return Boot(starts=self.starts or int(bool(self._seen)), failure=self._ending, read_bytes=read_bytes, **figures)

    @property
    def _ending(self) -> Failure | None:
        """What ended the start; an error that no row knows ended none that serves."""
        unknown = self._failure is not None and self._failure.kind == "unknown"
        return None if self.ready and unknown else self._failure

    @property
    def _uses_estimate(self) -> bool:
        if self._used is not None:
            return self._used
        version = self._figures.get("version")
        return version is not None and release_key(version) >= _ESTIMATE_USED_SINCE

    def _starting(self, name: str) -> None:
        """A line that begins a start: another one where this start has logged it, or more than beginnings."""
        if name in self._seen or self._figures.keys() - _BEGINNINGS:
            self.forget()
        self._seen.add(name)

    def _put(self, name: str, text: str) -> None:
        """Keep a figure; those of several ranks as a spread, the rest as said last."""
        if name in _RANKED:
            known, value = self._figures.get(_RANKED[name]), _bytes(text)
            self._figures[_RANKED[name]] = known.joined(value) if known else Ranks(low=value, high=value)
        elif name in _SINGLE:
            self._figures[_SINGLE[name]] = _bytes(text)
        elif name == "estimate_gib":
            self._estimate = _bytes(text)
        elif name == "peak_with_estimate_gib":
            self._peak = _bytes(text)
        elif name == "estimate_used":
            self._used = True
        elif name == "arguments":
            self._figures[name] = dict(_arguments(text))
        elif name == "config":
            self._figures[name] = dict(_CONFIG.findall(text))
            model = _MODEL.search(text)
            self._figures |= {"model": model[1]} if model else {}
        else:
            self._figures[name] = _READ.get(name, str)(text)


def _arguments(text: str) -> list[tuple[str, Any]]:
    """Plain arguments of a logged dictionary, which may be cut off."""
    words = {"True": True, "False": False, "None": None}
    return [(name, words[value] if value in words else _plain(value)) for name, value in _ARGUMENT.findall(text)]


def _plain(value: str) -> str | float | int:
    if value[0] in "'\"":
        return value[1:-1]
    try:
        return int(value)
    except ValueError:
        return float(value)


def _failure(row: FailureRow, text: str) -> Failure:
    """The known end that a line tells."""
    found = _compiled(row.pattern).search(text)
    figures = {}
    for name, value in (found.groupdict() if found else {}).items():
        if value is not None and re.fullmatch(r"[\d.]+", value):
            number = float(value)
            figures[name.replace("_gib", "_bytes")] = float(gib(number)) if name.endswith("_gib") else number
    told = _ERROR.search(text)
    message = (told[1] if told else text).strip()[:_LONGEST_MESSAGE]
    return Failure(kind=row.name, says=row.says, advice=row.advice, levers=row.levers, message=message, figures=figures)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _bytes(text: str) -> int:
    return gib(float(text))


def _clean(line: bytes) -> str:
    """The line as text, without colours; what is no UTF-8 stays readable around it."""
    return _ESCAPES.sub("", line.decode("utf-8", errors="replace")).strip()
