"""Lots of draws, planned and judged; a lot goes on where it stopped."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.oracle import records
from tests.oracle.draws import RELEASES, draws, has_config
from tests.oracle.offered import planned_offers
from tests.oracle.planning import planned

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tests.oracle.judge import Judge

SIZE = 150
_EVERY, _OF_EACH = 5, 3
_NO_CONFIG = {
    "verdict": "unanswered",
    "level": "start",
    "error": {"type": "NoConfig", "text": "its config.json is not at hand, or partial", "where": ""},
}
"""An embedded model whose config.json nobody has here, or only parts of it."""


def plan_lot(
    seed: int, lot: int, models: Mapping[str, Path], state: Path, releases: Sequence[str] = RELEASES
) -> list[dict[str, Any]]:
    """The rows of one lot, kept in `state` as they are made."""
    file = state / f"plans-{seed}-{lot}.jsonl"
    rows = _lines(file)
    wanted = islice(draws(seed, models, releases), lot * SIZE + len(rows), (lot + 1) * SIZE)
    with file.open("a", encoding="utf-8") as out:
        for draw in wanted:
            rows.append(planned(draw, models[draw.model]))
            out.write(json.dumps(rows[-1]) + "\n")
            out.flush()
    return rows


def offer_lot(seed: int, lot: int, models: Mapping[str, Path], state: Path) -> list[dict[str, Any]]:
    """Rows of what the deployments of one lot offer beside themselves, kept in `state`; a few of every fifth one."""
    file = state / f"offers-{seed}-{lot}.jsonl"
    if not file.is_file():
        drawn = islice(draws(seed, models), lot * SIZE, (lot + 1) * SIZE, _EVERY)
        here = {name: place for name, place in models.items() if has_config(place)}
        rows = [row for draw in drawn for row in planned_offers(draw, here, _OF_EACH)]
        file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return _lines(file)


def judge_lot(
    seed: int, lot: str, rows: Iterable[Mapping[str, Any]], judge: Judge, state: Path, *, release: str
) -> list[dict[str, Any]]:
    """One release's answers to the rows of status 0 whose key nobody has asked yet, as they are kept in `state`."""
    file = state / f"answers-{seed}-{lot}-{release}.jsonl"
    answers = _lines(file)
    known = set(records.load()) | {one["key"] for one in answers}
    asked = {row["key"]: row for row in rows if _open(row, release, known)}
    with file.open("a", encoding="utf-8") as out:
        for row in asked.values():
            question = row["question"]
            there = has_config(Path(question["directory"]))
            answer = judge.ask(question) if there else {"id": row["name"]} | _NO_CONFIG
            kept = {"key": row["key"], "name": row["name"], "answer": answer}
            answers.append(kept)
            out.write(json.dumps(kept) + "\n")
            out.flush()
    return answers


def _open(row: Mapping[str, Any], release: str, known: Collection[str]) -> bool:
    return row["status"] == 0 and row["release"] == release and row["key"] not in known


def _lines(file: Path) -> list[dict[str, Any]]:
    if not file.is_file():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def record_lots(seed: int, state: Path) -> int:
    """Put the answers of every lot of a seed in `state` into the recorded ones; their number.

    A deployment of an embedded model is recorded with its request, so that it can be planned again without the lot.
    What was drawn is read from the lot: a table that has grown since draws otherwise.
    """
    kept = records.load()
    found = {one["name"]: one for file in sorted(state.glob(f"answers-{seed}-*.jsonl")) for one in _lines(file)}
    files = (*sorted(state.glob(f"plans-{seed}-*.jsonl")), *sorted(state.glob(f"offers-{seed}-*.jsonl")))
    rows = {one["name"]: one for file in files for one in _lines(file)}
    for name, one in found.items():
        row = rows[name]
        if "key" not in row or one["key"] != row["key"] or not has_config(Path(row["question"]["directory"])):
            continue  # a refusal of ours that was asked about, or no config to ask with
        request = row.get("request") or {}
        again = {"draw": name, "request": request} if request.get("source") == "embedded" else {}
        kept[one["key"]] = records.recorded(one["key"], row["model"], row["question"], one["answer"]) | again
    records.save(kept)
    return len(kept)
