"""`python -m tests.accuracy NAME --truth FILE --configs DIR`: one `name value` line a metric, then the worst rows."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

SCORES = ("kv", "weights", "bootlogs", "benchmarks")


def main(argv: list[str] | None = None) -> int:
    """Run one score and print it; 0 where it ran."""
    parser = argparse.ArgumentParser(prog="python -m tests.accuracy", description=__doc__)
    parser.add_argument("score", choices=SCORES)
    parser.add_argument("--truth", type=Path, required=True, help="the truth file of that score")
    parser.add_argument("--configs", type=Path, help="folder of <org>--<model>/config.json")
    parser.add_argument("--refusals", type=Path, help="refusals.json; beside the truth file when left out")
    parser.add_argument("--worst", type=int, default=20, help="worst rows to print")
    options = parser.parse_args(argv)
    if not options.truth.is_file():
        parser.error(f"no such file: {options.truth}")
    module = importlib.import_module(f"tests.accuracy.{options.score}")
    return int(module.run(options) or 0)


if __name__ == "__main__":
    sys.exit(main())
