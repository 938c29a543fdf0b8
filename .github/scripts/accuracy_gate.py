"""Fail when a figure of the accuracy scores is worse than the committed one.

`python .github/scripts/accuracy_gate.py` compares; `--update` rewrites tests/accuracy/baseline.json. The truth data and
the model configs lie beside the checkout; where they do not, the scores that need them are left out and named.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
BASELINE = ROOT / "tests" / "accuracy" / "baseline.json"
ADDED = ROOT / "tests" / "accuracy" / "data" / "bench_added.csv"
"""Benchmarks of our own search, scored as well: `added.benchmarks.*`."""
TRUTH = {
    "kv": "kv_truth.json", "weights": "kv_truth.json", "bootlogs": "startup_logs.csv", "benchmarks": "bench.csv",
    "next-source": "bench.csv",
}  # fmt: skip
HIGHER_IS_BETTER = ("equal", "concurrency_ok", "caught", "within_0.5pct", "in_interval")
COUNTS = ("kv.records", "kv.refusals", "kv.excluded")
SLACK = 0.002
"""What a figure may lose without notice: rounding, never a mechanism."""


def measured(score: str, truth: Path) -> dict[str, float]:
    """The metric lines of one score over a file of its format."""
    words = ["-m", "tests.accuracy", score, "--truth", str(truth), "--configs", str(DATA / "hf_configs")]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
    lines = (line.split() for line in done.stdout.splitlines())
    pairs = (words for words in lines if len(words) > 1 and words[0].startswith(f"{score}."))
    return {name: float(value) for name, value, *_ in pairs if name not in COUNTS}


def worse(name: str, before: float, now: float) -> bool:
    """Whether a figure got worse by more than rounding."""
    loss = before - now if name.endswith(HIGHER_IS_BETTER) else now - before
    return loss > SLACK


def main() -> int:
    """0 where nothing got worse."""
    if not (DATA / "hf_configs").is_dir():
        print(f"left out: {', '.join(TRUTH)} need the data beside the checkout")
        return 0
    found = {name: value for score, file in TRUTH.items() for name, value in measured(score, DATA / file).items()}
    found |= {f"added.{name}": value for name, value in measured("benchmarks", ADDED).items()}
    if "--update" in sys.argv:
        BASELINE.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        return 0
    committed = json.loads(BASELINE.read_text(encoding="utf-8"))
    lost = [name for name, value in committed.items() if name not in found or worse(name, value, found[name])]
    for name in sorted(found):
        print(
            f"{'WORSE' if name in lost else 'ok   '} {name} {committed.get(name, float('nan')):.4f} {found[name]:.4f}"
        )
    print(f"{len(committed) - len(lost)} figures hold, {len(lost)} got worse")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
