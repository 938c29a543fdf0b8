"""The cache allocator against vLLM's own answers, figure by figure."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from generator.errors import GeneratorError
from generator.planning.kv_cache import cache_layout
from tests.accuracy import refusals, truth

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable
    from pathlib import Path

    from generator.planning.kv_cache import CacheLayout

TOLERANCE = 0.001
"""Relative error that a concurrency may have."""


def run(options: Namespace) -> int:
    """Print the score of every record that has a config, then what differs."""
    records = [r for r in truth.records(options.truth) if truth.has_config(r, options.configs)]
    wrong = {i: differences(record, options.configs) for i, record in enumerate(records)}
    unequal = [i for i, found in wrong.items() if set(found) - {"concurrency"}]
    far = [i for i, found in wrong.items() if "concurrency" in found or "error" in found]
    print(f"kv.equal {_share(len(records) - len(unequal), len(records))}")
    print(f"kv.concurrency_ok {_share(len(records) - len(far), len(records))}")
    _refusals(options)
    print(f"kv.records {len(records)}")
    print(f"kv.excluded {len(truth.records(options.truth)) - len(records)}")
    _worst(records, wrong, options.worst)
    return 0


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
    theirs = sorted(
        (s["count"], s["type"], s["block_size"], s["page_size_bytes"]) for s in record["layer_specs"]
    )
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


def _refusals(options: Namespace) -> None:
    path = options.refusals or options.truth.with_name("refusals.json")
    if not path.is_file():
        return
    rows = [r for r in truth.records(path) if truth.has_config(r, options.configs)]
    missed = [(r, reason) for r in rows if (reason := refusals.missed(r, options.configs)) is not None]
    print(f"kv.refusals_caught {_share(len(rows) - len(missed), len(rows))}")
    print(f"kv.refusals {len(rows)}")
    for row, reason in missed:
        print(f"  missed {row['model']} {row['gpu']} tp={row['tp']} {row['engine_args']}: {reason}")


def _worst(records: list[truth.Record], wrong: dict[int, dict[str, Any]], limit: int) -> None:
    by_model: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for i, found in wrong.items():
        by_model[records[i]["model"]].update(found.keys())
    for name, figures in sorted(by_model.items(), key=lambda row: -sum(row[1].values())):
        if figures:
            print(f"  {name}: {dict(figures)}")
    for i in [i for i, found in wrong.items() if found][:limit]:
        record = records[i]
        parallel = f"tp={record['tp']} pp={record['pp']} dp={record['dp']} ep={record['ep']}"
        print(f"  {record['model']} {record['vllm']} {record['gpu']} {parallel} {record['engine_args']}")
        for figure, (ours, theirs) in wrong[i].items():
            print(f"    {figure}: ours {ours}, vLLM {theirs}")


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.6f}" if whole else "nan"
