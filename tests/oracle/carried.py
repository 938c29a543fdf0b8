"""Answers of the census carried out: deployments that a rule of ours refuses, put to vLLM as they are."""

from __future__ import annotations

import json
import random
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generator.cluster import cluster_for
from generator.models.request import Request
from tests.oracle import records
from tests.oracle.draws import directory_of
from tests.oracle.offered import argv_of
from tests.oracle.questions import bare_question

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.oracle.judge import Judge

RELEASE, SEED, COUNT = "0.33.0", 40, 40
ANSWERS = Path(__file__).parent / "carried.jsonl"
_HERE = Path(__file__).parent
_TABLE = tomllib.loads((_HERE / "carried.toml").read_text(encoding="utf-8"))
ROWS: list[dict[str, Any]] = _TABLE["carried"]
_FREE = 400
"""GiB of cache that decide nothing."""


def drawn() -> list[str]:
    """What the census says to the forty answers that the seed draws of its rules, of those that stood at the draw."""
    census = tomllib.loads((_HERE / "census.toml").read_text(encoding="utf-8"))["answer"]
    rules = [row["why"] for row in census if row["answer"] == "rule" and not row.get("later")]
    return [rules[number] for number in sorted(random.Random(SEED).sample(range(len(rules)), COUNT))]


def name_of(row: Mapping[str, Any]) -> str:
    """The row as tests and records call it."""
    return f"{ROWS.index(dict(row)):02} {row['rule'][:60]}"


def request_of(row: Mapping[str, Any], place: Path) -> Request:
    """The row's deployment; a config.json of our own is written to `place`."""
    if "base" in row:
        place.mkdir(parents=True, exist_ok=True)
        config = _TABLE["bases"][row["base"]] | row.get("changes", {})
        (place / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return Request(
        model=row.get("model", str(place)), source="local" if "base" in row else "embedded",
        gpu=row.get("gpu", "H100-SXM-80GB"), gpus=row.get("gpus", 1), nodes=row.get("nodes", 1),
        vllm=row.get("vllm", RELEASE), overrides=row.get("own", {}),
    )  # fmt: skip


def record(judge: Judge, directories: Mapping[str, Path], state: Path) -> int:
    """Ask vLLM about the rows whose answer is not at hand, and keep what it says; how many were asked."""
    kept, asked_now = told(), 0
    for row in ROWS:
        if "unasked" in row or name_of(row) in kept:
            continue
        place = state / "carried" / f"{ROWS.index(row):02}"
        asked = request_of(row, place)
        directory = place if "base" in row else directories[directory_of(asked.model)]
        argv = [_here(word, directories) for word in argv_of(asked)]
        question = bare_question(argv, directory, asked.vllm, cluster_for(asked))
        question |= {"id": name_of(row), "cache_bytes": row.get("left", _FREE) << 30}
        kept[name_of(row)] = _told(row, judge.ask(question), directory)
        asked_now += 1
    records.save(kept, ANSWERS)
    return asked_now


def _told(row: Mapping[str, Any], answer: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    error = answer.get("error") or {"text": "", "where": ""}
    text = error["text"].replace(str(directory), row.get("model", row.get("base", "")))
    return {
        "key": name_of(row), "verdict": answer["verdict"], "level": answer["level"],
        "text": text[:400], "where": error["where"][:160],
    }  # fmt: skip


def _here(word: str, directories: Mapping[str, Path]) -> str:
    """A word of the command, with the draft model that it names where its config.json lies."""
    if not word.startswith("{"):
        return word
    given = json.loads(word)
    if "model" in given:
        given["model"] = str(directories[directory_of(given["model"])])
    return json.dumps(given)


def told(rows: Sequence[Mapping[str, Any]] = ROWS) -> dict[str, dict[str, Any]]:
    """What vLLM said to each row, by its name."""
    known = records.load(ANSWERS)
    return {name_of(row): known[name_of(row)] for row in rows if name_of(row) in known}
