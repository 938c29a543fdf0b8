"""Lots of draws, planned and judged; a lot goes on where it stopped."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any

from tests.oracle import records
from tests.oracle.draws import draws
from tests.oracle.planning import planned

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tests.oracle.judge import Judge

SIZE = 150


def plan_lot(seed: int, lot: int, models: Mapping[str, Path], state: Path) -> list[dict[str, Any]]:
    """The rows of one lot, kept in `state` as they are made."""
    file = state / f"plans-{seed}-{lot}.jsonl"
    rows = _lines(file)
    wanted = islice(draws(seed, models), lot * SIZE + len(rows), (lot + 1) * SIZE)
    with file.open("a", encoding="utf-8") as out:
        for draw in wanted:
            rows.append(planned(draw, models[draw.model]))
            out.write(json.dumps(rows[-1]) + "\n")
            out.flush()
    return rows


def judge_lot(seed: int, lot: int, rows: Iterable[Mapping[str, Any]], judge: Judge, state: Path) -> dict[str, Any]:
    """VLLM's answer by the draw's name, for rows of status 0; also recorded by key, once for all rows that share it."""
    file = state / f"answers-{seed}-{lot}.jsonl"
    answers = {one["id"]: one for one in _lines(file)}
    kept = records.load()
    asked = [row for row in rows if row["status"] == 0 and row["name"] not in answers and row["key"] not in kept]
    with file.open("a", encoding="utf-8") as out:
        for row in sorted(asked, key=lambda one: (one["release"], one["question"]["gpu"]["capability"], one["key"])):
            if row["key"] in kept:
                continue
            answer = judge.ask(row["question"])
            answers[row["name"]] = answer
            kept[row["key"]] = records.recorded(row["key"], row["model"], row["question"], answer)
            out.write(json.dumps(answer) + "\n")
            out.flush()
    records.save(kept)
    return answers


def _lines(file: Path) -> list[dict[str, Any]]:
    if not file.is_file():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
