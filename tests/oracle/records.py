"""Recorded answers: what vLLM said, by the key of what it depends on; one JSON object a line, sorted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.oracle.questions import flags_of, mattering

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = Path(__file__).parent / "answers.jsonl"
_LATE = frozenset({"plan", "blocks", "graphs", "low end", "done"})
"""Levels that bytes, lengths and sequences decide: what stands before them holds for every plan of the key."""
_KEPT = (
    "class", "dtype", "kv_cache_dtype", "quantization", "cudagraph_mode", "backends", "kernels", "parameter_bytes",
    "buffer_bytes", "groups", "bytes_per_block", "states", "max_model_len", "max_num_batched_tokens",
)  # fmt: skip


def load(file: Path = FILE) -> dict[str, dict[str, Any]]:
    """Every recorded answer by its key."""
    if not file.is_file():
        return {}
    lines = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())
    return {one["key"]: one for one in lines}


def save(answers: Mapping[str, Mapping[str, Any]], file: Path = FILE) -> None:
    """Write every answer, in the order of keys."""
    lines = (json.dumps(answers[key], separators=(",", ":")) for key in sorted(answers))
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def recorded(key: str, model: str, question: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of an answer: whether the start stands before bytes decide, vLLM's message or its figures."""
    stands = answer["level"] in _LATE
    asked = {
        "key": key,
        "model": model,
        "release": question["release"],
        "capability": question["gpu"]["capability"],
        "flags": " ".join(f"{name} {value}".strip() for name, value in sorted(mattering(flags_of(question["argv"])))),
        "stands": stands if answer["verdict"] != "unanswered" else None,
    }
    if stands:
        return asked | {name: answer[name] for name in _KEPT if answer.get(name) not in (None, [], {})}
    error = answer["error"]
    text = error["text"].replace(str(question["directory"]), model)
    return asked | {"level": answer["level"], "text": text[:300], "where": error["where"][:160]}
