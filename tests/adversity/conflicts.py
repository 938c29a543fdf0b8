"""Conflicts of lines that end without hands: of written situations, and of the lives; none wrongly."""

from __future__ import annotations

import json
import re
import tempfile
import tomllib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from fixtures.processes import home

from generator.models.request import Request
from generator.operations import settle
from generator.operations.generate import generate
from generator.rendering.git import isolated
from tests.adversity.rows import read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

BASE = {"model": "Qwen/Qwen3-8B", "gpu": "L4-24GB", "gpus": 2, "source": "embedded"}
CHANGES = {
    "model": {"model": "Qwen/Qwen3-14B"},
    "gpus": {"gpus": 4},
    "limits": {"overrides": {"max_num_seqs": 48, "max_model_len": 16000}},
}
ARTEFACTS = ("command", "profile", "compose", "kubernetes")


def situations(state: Path) -> bool:
    """Merge every situation; True where none ends wrongly, and those that are for a person stay open."""
    rows = tomllib.loads((Path(__file__).parent / "situations.toml").read_text(encoding="utf-8"))["situation"]
    with tempfile.TemporaryDirectory(prefix="situations-") as name, home(Path(name)), isolated():
        place = Path(name)
        trees = {
            kind: generate(Request(**BASE | change), place / kind / "base", artefacts=ARTEFACTS, commit=False).path
            for kind, change in {"base": {}, **CHANGES}.items()
        }
        found = [_merged(trees, row) for row in rows]
    (state / "situations.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in found), encoding="utf-8")
    return not any(row["wrong"] or (row["conflict"] and row["open"] != row["expected"]) for row in found)


def _merged(trees: dict[str, Path], row: dict) -> dict:
    base, theirs = ((trees[side] / row["file"]).read_text(encoding="utf-8") for side in ("base", row["change"]))
    ours, times = re.subn(row["find"], row["put"], base, flags=re.MULTILINE)
    assert times, f"{row['file']} has no line like {row['find']}"
    return {"does": row["does"], "change": row["change"], "expected": row.get("open", False)} | again(
        row["file"], base, ours, theirs
    )


def again(name: str, *sides: str, named: Mapping[str, Any] | None = None, earlier: Sequence[str] = ()) -> dict:
    """What becomes of three sides: a conflict of lines, and then one that is open, or ended wrongly."""
    told = settle.Told(named or {}, lambda _: earlier)
    done = settle.merged_text(name, *sides, told=told)
    return {
        "file": name,
        "conflict": "<<<<<<< " in settle.by_line(*sides),
        "open": not done.whole,
        "wrong": wrong(name, sides, done.text, told) if done.whole else "",
    }


def _again_if_text(name: str, *sides: str, **told: Any) -> dict:
    """The same, of sides that may be no text: those stay as they are."""
    if any("\0" in side or (not side.isascii() and side.encode("utf-8", "replace").decode() != side) for side in sides):
        return {"conflict": True, "open": True, "wrong": ""}
    return again(name, *sides, **told)


def counts(state: Path) -> dict[str, int]:
    """Conflicts of lines, and how many of them ended without hands, wrongly or not."""
    total: Counter[str] = Counter()
    for row in read(state / "situations.jsonl"):
        total.update(_counted("situations", row))
    with isolated():
        for file in sorted(state.glob("conflicts-*.jsonl")):
            for row in read(file):
                sides = (row[one] for one in ("name", "base", "ours", "theirs"))
                told = {one: row[one] for one in ("named", "earlier") if one in row}
                total.update(_counted("lives", _again_if_text(*sides, **told)))
    return dict(sorted(total.items()))


def _counted(where: str, row: dict) -> dict[str, int]:
    conflict = row["conflict"]
    return {
        f"{where}: conflicts of lines": conflict,
        f"{where}: without hands": conflict and not row["open"],
        f"{where}: wrongly": bool(row["wrong"]),
    }


def wrong(name: str, sides: tuple[str, ...], text: str, told: settle.Told) -> str:
    """What a merge without hands says that it should not, or lacks; by means of its own: values, and words."""
    (base, *_), given_up = sides, set()
    sides = (*sides, text)
    said = _said(sides) if name.endswith((".yaml", ".yml", ".json")) else None
    if said is not None:
        bad, given_up = _wrong_values(*said, set(told.named))
        if bad:
            return bad
    rendered = {line for old in told.earlier(name) for line in old.splitlines()} - set(base.splitlines())
    was, mine, new, now = (Counter(_words(side, rendered)) for side in sides)
    lacking = {**((mine - was) - now), **((new - was) - now)}.keys() - given_up
    return f"{' '.join(sorted(lacking))} is gone" if lacking else ""


def _said(sides: Sequence[str]) -> list[dict] | None:
    """The values of each side; None where one is no YAML, so that its words alone can be compared."""
    try:
        return [dict(_values(yaml.safe_load(side) or {})) for side in sides]
    except yaml.YAMLError:
        return None


def _wrong_values(was: dict, mine: dict, new: dict, now: dict, named: set[str]) -> tuple[str, set[str]]:
    """The first value that should be another, and the user's that gave way to what the command names."""
    given_up = set()
    for path in {*was, *mine, *new, *now}:
        before, one, other, found = (side.get(path) for side in (was, mine, new, now))
        right = one if other == before else other
        if other != before and one not in (before, other):
            given_up.add(str(one))
            if str(path[-1]).replace("-", "_") not in named:
                right = ...
        if found != right:
            return f"{'.'.join(map(str, path))} is {found!r}, of {before!r}, {one!r}, {other!r}", given_up
    return "", given_up


def _words(text: str, rendered: set[str]) -> Iterator[str]:
    """Its words, but for those of lines that a template rendered for answers of before."""
    for line in text.splitlines():
        if line not in rendered:
            yield from line.split()


def _values(value, path=()):
    if isinstance(value, dict | list) and value:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _values(inner, (*path, key))
    else:
        yield path, value
