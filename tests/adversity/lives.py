"""Lives by seed and number, each kept as it ends, so that a run goes on where it stopped."""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from fixtures.conflicts import recorded
from fixtures.deployments import request_for
from fixtures.lives import COUNTS, Life
from fixtures.processes import home
from fixtures.quicker import remembered
from fixtures.walk import four_releases

from generator.operations.generate import generate
from tests.adversity.rows import append, read

STEPS = 8


class QuietLife(Life):
    """A life in which nothing dies and nobody is in a hurry: updates meet edits, which is where conflicts are."""

    HAPPENINGS = ("plain", "plain", "plain", "upgraded", "adopted", "merged", "merged")


def live(seed: int, wanted: int, state: Path, *, kind: type[Life] = Life) -> bool:
    """Live the lives of `seed` below `wanted` that `state` does not hold yet; True where none lost an edit."""
    rows = read(state / f"lives-{seed}.jsonl")
    done = {row["number"] for row in rows}
    with tempfile.TemporaryDirectory(prefix="lives-") as name, home(Path(name)), remembered():
        place = Path(name)
        bundle = four_releases(place / "releases")
        made = generate(request_for(), place / "made", template="1.0.0", packaged=bundle).path
        with recorded(state / f"conflicts-{seed}.jsonl"):
            for number in range(wanted):
                if number not in done:
                    rows.append(_one(seed, number, place, made, kind=kind))
                    append(state / f"lives-{seed}.jsonl", rows[-1])
    return not any(row["lost"] for row in rows)


def _one(seed, number, place, made, *, kind):
    COUNTS.clear()
    start, lost, life = time.monotonic(), "", None
    with tempfile.TemporaryDirectory(dir=place, prefix="life", ignore_cleanup_errors=True) as folder:
        life = kind(Path(folder) / "dépôt", place / "releases/templates.bundle", Random(f"{seed}/{number}"), made)
        try:
            for _ in range(STEPS):
                life.step()
        except Exception as error:  # noqa: BLE001 - a crash is a finding as well
            lost = f"{type(error).__name__}: {error}: {life}"
            sys.stderr.write(f"LOST {seed} {number} {lost}\n")
    return {
        "number": number, "lost": lost, "counts": dict(COUNTS), "story": str(life) if lost else "",
        "seconds": round(time.monotonic() - start, 1),
    }  # fmt: skip


def counts(seed: int, state: Path) -> dict[str, int]:
    """What happened in all lives of a seed, by kind."""
    rows = read(state / f"lives-{seed}.jsonl")
    total = Counter({"lives": len(rows), "lives that lost an edit": sum(bool(row["lost"]) for row in rows)})
    for row in rows:
        total.update(row["counts"])
    return dict(sorted(total.items()))
