"""What a change does to plans: every embedded model on eight GPU sets at three releases, before and after.

    git worktree add ../before COMMIT && python .github/scripts/compare_plans.py ../before [MODEL...]

Prints each field that differs with how many plans it differs in and one example, the plans that only one side makes,
and the CPU seconds of each side. The list of causes is a person's. Status 8 where a plan differs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generator import Request, plan
from generator.catalogue.models import embedded_ids
from generator.errors import GeneratorError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
SETS = (
    ("T4-16GB", 2), ("L4-24GB", 1), ("RTX-4090-24GB", 2), ("A100-SXM-80GB", 4),
    ("H100-SXM-80GB", 1), ("H200-SXM-141GB", 8), ("B200-180GB", 8), ("RTX-PRO-6000-96GB", 4),
)  # fmt: skip
RELEASES = ("0.23.0", "0.29.0", "0.33.0")
DIFFERENT = 8

Plans = dict[str, Any]
"""Each plan, or the line that refuses it, by its request in words."""


def made(models: list[str]) -> tuple[Plans, float]:
    """Plans of the `generator` that this process imports, and its CPU seconds."""
    started, found = time.process_time(), {}
    for model in models or embedded_ids():
        for gpu, count in SETS:
            for release in RELEASES:
                asked = Request(model=model, source="embedded", gpu=gpu, gpus=count, vllm=release)
                try:
                    found[f"{model} {count} x {gpu} {release}"] = plan(asked).model_dump(mode="json", by_alias=True)
                except GeneratorError as refusal:
                    found[f"{model} {count} x {gpu} {release}"] = f"{type(refusal).__name__}: {refusal}"
    return found, time.process_time() - started


def of_checkout(place: Path, models: list[str]) -> tuple[Plans, float]:
    """The same of another checkout, with the packages of this one."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, __file__, "--made", *models],
        cwd=place, env=os.environ | {"PYTHONPATH": str(place)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    plans, seconds = json.loads(done.stdout)
    return plans, seconds


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Path and value of everything that is no mapping; a list is one value, a list of mappings goes by its names."""
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        value = {str(one.get("name", one.get("rule", ""))): one for one in value}
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else key)
    else:
        yield path, value


def differences(before: Plans, after: Plans) -> dict[str, list[tuple[str, Any, Any]]]:
    """Request, value before and value after by the path of what differs."""
    found: dict[str, list[tuple[str, Any, Any]]] = defaultdict(list)
    for request, old in before.items():
        new = after.get(request)
        if isinstance(old, str) or isinstance(new, str):
            if old != new:
                was, now = (one if isinstance(one, str) else "a plan" for one in (old, new))
                found["(refused)"].append((request, was, now))
            continue
        had, has = dict(leaves(old)), dict(leaves(new))
        for path in had | has:
            if had.get(path) != has.get(path):
                found[path].append((request, had.get(path), has.get(path)))
    return found


def main() -> int:
    """0 where both sides plan alike."""
    place, *models = sys.argv[1:]
    if place == "--made":
        json.dump(made(models), sys.stdout)
        return 0
    with ThreadPoolExecutor() as both:
        (before, spent), (after, spends) = both.map(of_checkout, (Path(place).resolve(), ROOT), (models, models))
    found = differences(before, after)
    for path, held in sorted(found.items(), key=lambda one: -len(one[1])):
        request, old, new = held[0]
        print(f"{len(held):5} {path}: {json.dumps(old)[:120]} -> {json.dumps(new)[:120]} ({request})")
    touched = {request for held in found.values() for request, _, _ in held}
    print(f"{len(touched)} of {len(before)} plans differ; CPU {spent:.1f} s before, {spends:.1f} s after")
    return DIFFERENT if touched else 0


if __name__ == "__main__":
    sys.exit(main())
