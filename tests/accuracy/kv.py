"""The cache allocator against vLLM's own answers, figure by figure."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from generator.errors import GeneratorError
from generator.planning.kv_cache.layout import cache_layout
from tests.accuracy import truth
from tests.accuracy.refusals import refusal_lines

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from generator.planning.kv_cache.layout import CacheLayout

TOLERANCE = 0.001
"""Relative error that a concurrency may have."""


def report(truth_file: Path, configs: Path, *, worst: int = 20, refusals: Path | None = None) -> list[str]:
    """The score of every record that has a config, one line a metric, then what differs."""
    every = truth.records(truth_file)
    records = [record for record in every if truth.has_config(record, configs)]
    wrong = [differences(record, configs) for record in records]
    unequal = sum(bool(set(found) - {"concurrency"}) for found in wrong)
    far = sum(bool({"concurrency", "error"} & set(found)) for found in wrong)
    return [
        f"kv.equal {truth.share(len(records) - unequal, len(records))}",
        f"kv.concurrency_ok {truth.share(len(records) - far, len(records))}",
        *refusal_lines(refusals or truth_file.with_name("refusals.json"), configs),
        f"kv.records {len(records)}",
        f"kv.excluded {len(every) - len(records)}",
        *_worst(records, wrong, worst),
    ]


def differences(record: truth.Record, configs: Path) -> dict[str, tuple[Any, Any]]:
    """Figures of one record that differ: ours, then vLLM's."""
    try:
        found = truth.model(record["model"], configs)
        ours = cache_layout(found.architecture, truth.layout(record), truth.settings(record, found))
    except GeneratorError as error:
        return {"error": (str(error)[:160], "started")}
    checks = dict(_checks(record, ours))
    if record.get("kv_error"):
        avail = record["avail_kv_bytes_per_gpu"]
        checks["kv_error"] = (ours.starts(avail, record["max_model_len"]), False)
    return {name: pair for name, pair in checks.items() if pair[0] != pair[1]}


def _checks(record: truth.Record, ours: CacheLayout) -> Iterable[tuple[str, tuple[Any, Any]]]:
    avail = record["avail_kv_bytes_per_gpu"]
    length = record["max_model_len"]
    theirs = sorted((s["count"], s["type"], s["block_size"], s["page_size_bytes"]) for s in record["layer_specs"])
    yield "specs", (sorted(_merged(ours.specs)), sorted(_merged(theirs)))
    yield "groups", (len(ours.groups), record["num_groups"])
    yield "block_size", (ours.block_size_tokens, record["worker_block_size"])
    yield "bytes_per_block", (list(ours.bytes_per_block), record["bytes_per_block_per_stage"])
    yield "min_bytes", (list(ours.min_bytes_to_start(length)), record["min_kv_bytes_to_start_per_stage"])
    yield "request_bytes", (list(ours.request_bytes(length)), record["needed_bytes_one_request_per_stage"])
    if record.get("num_gpu_blocks") is not None:
        yield "num_blocks", (ours.num_blocks(avail), record["num_gpu_blocks"])
        yield "concurrency", (_far(record, ours, avail), [])
    if record["engine_args"].get("max_model_len") == -1:
        yield "auto_len", (ours.max_model_len(avail, record["max_model_len"]), record["max_model_len_final"])


def _merged(specs: Iterable[tuple[int, str, int, int]]) -> list[tuple[str, int, int, int]]:
    counts: Counter[tuple[str, int, int]] = Counter()
    for count, kind, block, page in specs:
        counts[kind, block, page] += count
    return [(*key, count) for key, count in counts.items()]


def _far(record: truth.Record, ours: CacheLayout, avail: int) -> list[tuple[int, float, float]]:
    """Lengths at which concurrency is off by more than the tolerance: (length, ours, vLLM's)."""
    rows = [(record["max_model_len_final"], record["max_concurrency"])]
    rows += [(row["max_model_len"], row["concurrency"]) for row in record["capacity_by_len"]]
    return [
        (length, ours.max_concurrency(avail, length), theirs)
        for length, theirs in rows
        if abs(ours.max_concurrency(avail, length) - theirs) > TOLERANCE * theirs
    ]


def _worst(records: list[truth.Record], wrong: list[dict[str, tuple[Any, Any]]], limit: int) -> Iterable[str]:
    """How often which figure differs by model, then the first rows in full."""
    by_model: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for record, found in zip(records, wrong, strict=True):
        by_model[record["model"]].update(found.keys())
    for name, figures in sorted(by_model.items(), key=lambda row: -sum(row[1].values())):
        if figures:
            yield f"  {name}: {dict(figures)}"
    differing = [pair for pair in zip(records, wrong, strict=True) if pair[1]]
    for record, found in differing[:limit]:
        yield f"  {truth.label(record)}"
        for figure, (ours, theirs) in found.items():
            yield f"    {figure}: ours {ours}, vLLM {theirs}"
