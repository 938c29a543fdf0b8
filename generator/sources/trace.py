"""A file of recorded requests as a `Trace`; whatever is in it, it is read or refused in one line."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from math import ceil, isfinite
from pathlib import Path
from typing import Any, NamedTuple

from generator.errors import SourceError
from generator.models.trace import ArrivalRates, Spread, Trace, TraceFormat
from generator.sources.trace_rows import KNOWN, Arrival, csv_rows, jsonl_rows

_MOST_BYTES = 2 * 1024**3
_MOST_SPAN_S = 10 * 366 * 86400
_MINUTE_S = 60
_HEAD = 65536
"""Letters by which a format is told."""
_BLOCK_TOKENS = 512
"""Tokens of one of Mooncake's blocks (https://github.com/kvcache-ai/Mooncake, FAST25-release/traces)."""


class _Told(NamedTuple):
    """What the rows of a trace come to."""

    prompts: list[int]
    answers: list[int]
    longest: int
    left_out: int
    arrivals: list[float]
    reused_tokens: int | None


def read_trace(file: Path) -> Trace:
    """The summary of a trace: Azure's, BurstGPT's, Mooncake's, or a result of `vllm bench serve`.

    Raises:
        SourceError: it cannot be read, is of no known format, or a line of it is no request; one line says which.
    """
    place = file.expanduser()
    try:
        digest = _digest(place, file)
        with place.open(encoding="utf-8-sig", newline="") as lines:
            head = lines.read(_HEAD)
            lines.seek(0)
            if not head.lstrip().startswith(("{", "[")):
                columns, rows = csv_rows(file, lines)
                return _summary(file, columns.format, digest, rows)
            if _is_jsonl(head):
                return _summary(file, "mooncake", digest, jsonl_rows(file, lines))
            return _bench(file, json.load(lines), digest)
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}; name a file with a trace") from error
    except RecursionError as error:
        raise SourceError(f"{file} is no trace: its JSON is nested too deeply; {KNOWN}") from error
    except ValueError as error:
        raise SourceError(f"{file} is no trace: {' '.join(str(error).split())[:120]}; {KNOWN}") from error


def _digest(place: Path, file: Path) -> str:
    if not place.is_file():
        raise SourceError(f"{file} is no file: name a file with a trace")
    if place.stat().st_size > _MOST_BYTES:
        raise SourceError(f"{file} is larger than 2 GiB: give a part of it")
    with place.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _is_jsonl(head: str) -> bool:
    """Whether the first line is a request of Mooncake's."""
    try:
        first = json.loads(head.lstrip().partition("\n")[0])
    except ValueError:
        return '"input_length"' in head.partition("\n")[0]
    return isinstance(first, dict) and "input_length" in first


def _summary(file: Path, kind: TraceFormat, digest: str, rows: Iterable[Arrival]) -> Trace:
    told = _told(rows)
    if not told.prompts:
        raise SourceError(f"{file} holds no request with a prompt and an answer; {KNOWN}")
    span = max(told.arrivals) - min(told.arrivals)
    if not isfinite(span) or span > _MOST_SPAN_S:
        raise SourceError(f"{file}: its arrivals span more than ten years: {KNOWN}")
    total = sum(told.prompts)
    return Trace(
        format=kind,
        sha256=digest,
        requests=len(told.prompts),
        left_out=told.left_out,
        span_s=span,
        rates=_rates(told.arrivals, span),
        prompt_tokens=_spread(told.prompts),
        gen_tokens=_spread(told.answers),
        longest_request_tokens=told.longest,
        prefix_reuse=None if told.reused_tokens is None else round(told.reused_tokens / total, 4),
    )


def _told(rows: Iterable[Arrival]) -> _Told:
    prompts, answers, arrivals = [], [], []
    left_out, longest, reused, seen = 0, 0, 0, set[int]()
    for row in rows:
        if not (row.prompt_tokens and row.gen_tokens):
            left_out += 1
            continue
        prompts.append(row.prompt_tokens)
        answers.append(row.gen_tokens)
        arrivals.append(row.at_s)
        longest = max(longest, row.prompt_tokens + row.gen_tokens)
        known = next((place for place, block in enumerate(row.blocks) if block not in seen), len(row.blocks))
        reused += min(known * _BLOCK_TOKENS, row.prompt_tokens)
        seen.update(row.blocks)
    return _Told(prompts, answers, longest, left_out, arrivals, reused if seen else None)


def _rates(arrivals: list[float], span: float) -> ArrivalRates | None:
    """Rates over the trace and its minutes; None where all requests arrive at once."""
    if span <= 0:
        return None
    mean, first = len(arrivals) / span, min(arrivals)
    minutes = int(span // _MINUTE_S)
    if minutes < 2:  # noqa: PLR2004 - one minute has no percentile
        return ArrivalRates(mean=mean, busy=mean, most=mean)
    whole = Counter(int((at - first) // _MINUTE_S) for at in arrivals)
    counts = sorted(count for minute, count in whole.items() if minute < minutes)
    empty = minutes - len(counts)
    place = ceil(0.95 * minutes) - 1 - empty
    busy = counts[place] if place >= 0 else 0
    return ArrivalRates(mean=mean, busy=max(busy / _MINUTE_S, mean), most=max(counts) / _MINUTE_S)


def _spread(values: list[int]) -> Spread:
    ordered = sorted(values)

    def at(share: float) -> int:
        return ordered[ceil(share * len(ordered)) - 1]

    return Spread(mean=round(sum(ordered) / len(ordered), 2), p50=at(0.5), p95=at(0.95), p99=at(0.99), most=ordered[-1])


def _bench(file: Path, said: Any, digest: str) -> Trace:
    """A result of `vllm bench serve`; with --save-detailed it has each request's lengths."""
    prompts, answers = (said.get(name) if isinstance(said, dict) else None for name in ("input_lens", "output_lens"))
    if not isinstance(prompts, list) or not isinstance(answers, list):
        prompts, answers = _means(file, said)
    rows = _pairs(file, prompts, answers)
    told = _told(rows)
    if not told.prompts:
        raise SourceError(f"{file} holds no request with a prompt and an answer; {KNOWN}")
    rate, most = said.get("request_rate"), said.get("max_concurrency")
    finite = isinstance(rate, int | float) and not isinstance(rate, bool) and isfinite(rate) and rate > 0
    flight = most if isinstance(most, int) and not isinstance(most, bool) and most > 0 else None
    return Trace(
        format="vllm bench",
        sha256=digest,
        requests=len(told.prompts),
        left_out=told.left_out,
        rates=ArrivalRates(mean=rate, busy=rate, most=rate) if finite else None,
        prompt_tokens=_spread(told.prompts),
        gen_tokens=_spread(told.answers),
        longest_request_tokens=told.longest,
        concurrency=flight,
    )


def _means(file: Path, said: Any) -> tuple[list[int], list[int]]:
    """One request with the mean lengths of all, where a result has no others."""
    names = ("completed", "total_input_tokens", "total_output_tokens")
    found = [said.get(name) if isinstance(said, dict) else None for name in names]
    counts = [one for one in found if isinstance(one, int) and not isinstance(one, bool) and one > 0]
    if len(counts) < len(names):
        raise SourceError(f"{file} is no trace: its JSON has neither requests nor totals of them; {KNOWN}")
    completed, prompts, answers = counts
    return [ceil(prompts / completed)], [ceil(answers / completed)]


def _pairs(file: Path, prompts: list[Any], answers: list[Any]) -> Iterator[Arrival]:
    counts = chain(prompts, answers)
    if len(prompts) != len(answers) or not all(isinstance(one, int) and 0 <= one < 10**8 for one in counts):
        raise SourceError(f"{file} is no trace: input_lens and output_lens are no lists of as many token counts")
    return (Arrival(0.0, *pair) for pair in zip(prompts, answers, strict=True))
