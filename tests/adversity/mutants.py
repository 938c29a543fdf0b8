"""Mutated config.json files in lots that resume: `python -m tests.adversity.mutants SEED LOT... --models DIR`.

A mutant has one to three fields that nobody would write, in a published config. It ends in a plan whose figures count
something, or in one line; a lot's rows are kept in the state as they come.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import resource
import sys
import time
from collections import Counter
from copy import deepcopy
from pathlib import Path
from typing import Any

from generator.errors import GeneratorError
from generator.models.request import Request
from generator.sources.config import assemble
from generator.workflow import plan_for

SIZE = 250
SLOWEST_S = 5.0
FINDINGS = 8
_LONGEST = 1500
_MEMORY = 4 << 30
"""A mutant that takes more is a finding, not the end of the machine."""
_GPUS = ("L4-24GB", "A100-SXM-80GB", "H100-SXM-80GB", "B200-180GB", "T4-16GB")
_ODD: tuple[Any, ...] = (
    -1, 0, 1, 3, 7, 2**31, 2**63, 10**40, 1e-9, 1e308, -0.5, 1.5, math.nan, math.inf, True, False, None, "", "32",
    "eight", "bfloat16", [], [1, -2], [[]], {}, {"a": {"b": {"c": -1}}}, "x" * 3000,
)  # fmt: skip


def mutant(source: random.Random, config: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A copy with one to three changes, and their words."""
    config, words = deepcopy(config), []
    for _ in range(source.randint(1, 3)):
        part, path = config, ""
        while (nested := sorted(key for key, value in part.items() if isinstance(value, dict) and value)) and (
            source.random() < 0.5
        ):
            key = source.choice(nested)
            part, path = part[key], f"{path}{key}."
        key = source.choice(sorted(part))
        kind = source.choice(("odd", "odd", "gone", "swapped"))
        if kind == "gone":
            part.pop(key)
        else:
            part[key] = deepcopy(source.choice(_ODD) if kind == "odd" else source.choice(list(config.values())))
        words.append(f"{path}{key}: {kind} {json.dumps(part.get(key))[:60]}")
        if not part:
            break
    return json.loads(json.dumps(config)), words


def figures(value: Any) -> list[float]:
    """Every number of a plan, however deep."""
    if isinstance(value, dict):
        return [one for inner in value.values() for one in figures(inner)]
    if isinstance(value, list):
        return [one for inner in value for one in figures(inner)]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []


def outcome(config: dict[str, Any], gpu: str) -> dict[str, Any]:
    """How the mutant ends: its status, what is amiss, and the seconds of computing."""
    began = time.process_time()
    try:
        facts = assemble(id="a/mutant", revision=None, source="local", config=config, quant_config=None, tensors=None)
        made = plan_for(Request(model="a/mutant", gpu=gpu, source="local"), facts)
        odd = [one for one in figures(made.model_dump(mode="json", exclude={"inputs"})) if one < 0 or one != one]  # noqa: PLR0124 - NaN
        found = {"status": 0 if made.feasibility.fits else 5, "amiss": f"figures {odd[:3]}" if odd else ""}
    except GeneratorError as error:
        said = str(error)
        found = {"status": error.status, "amiss": "no line" if "\n" in said or len(said) >= _LONGEST else ""}
        found["amiss"] = found["amiss"] or ("status 1" if error.status == 1 else "")
    except Exception as error:  # noqa: BLE001 - what must not happen is what is looked for
        found = {"status": 1, "amiss": f"{type(error).__name__}: {str(error)[:200]}"}
    seconds = time.process_time() - began
    slow = f"{seconds:.1f} s" if seconds > SLOWEST_S else ""
    return found | {"seconds": round(seconds, 2), "amiss": found["amiss"] or slow}


def run_lot(seed: int, lot: int, configs: list[Path], state: Path) -> list[dict[str, Any]]:
    """Rows of one lot; it goes on where it stopped."""
    file = state / f"mutants-{seed}-{lot}.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []
    with file.open("a", encoding="utf-8") as out:
        for number in range(len(rows), SIZE):
            source = random.Random(f"{seed}-{lot}-{number}")
            chosen = source.choice(configs)
            config, words = mutant(source, json.loads(chosen.read_text(encoding="utf-8")))
            rows.append({"model": chosen.parent.name, "words": words, **outcome(config, source.choice(_GPUS))})
            out.write(json.dumps(rows[-1]) + "\n")
            out.flush()
    return rows


def main() -> int:
    """Run the lots that the command line names; 8 where something is amiss."""
    parser = argparse.ArgumentParser(prog="python -m tests.adversity.mutants", description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("lots", type=int, nargs="+")
    parser.add_argument("--models", type=Path, nargs="+", required=True)
    parser.add_argument("--state", type=Path, default=Path(".cache/mutants"))
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    given.state.mkdir(parents=True, exist_ok=True)
    configs = sorted(one for home in given.models for one in home.glob("*/config.json"))
    rows = [row for lot in given.lots for row in run_lot(given.seed, lot, configs, given.state)]
    told = [
        f"{row['status']} {row['model']} {'; '.join(row['words'])} -> {row['amiss']}" for row in rows if row["amiss"]
    ]
    statuses, slowest = (
        dict(sorted(Counter(row["status"] for row in rows).items())),
        max(row["seconds"] for row in rows),
    )
    summary = f"{len(rows)} mutants; {statuses} by status; slowest {slowest} s of computing"
    sys.stdout.write("\n".join([*told, summary, ""]))
    return FINDINGS if told else 0


if __name__ == "__main__":
    sys.exit(main())
