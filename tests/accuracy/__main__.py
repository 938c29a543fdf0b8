"""`python -m tests.accuracy NAME --truth FILE --configs DIR`: one `name value` line a metric, the worst rows.

Each score is a module beside this one with `report(truth, configs, *, worst) -> list[str]`; those whose coefficients
are fitted to rows take `leave_out` as well.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

LEFT_OUT = {"bootlogs": ("gpu", "model", "source"), "benchmarks": ("gpu", "model", "source", "kernel")}
"""What coefficients were fitted without, by score."""
SCORES = ("kv", "weights", "bootlogs", "benchmarks", "next-source", "carry-over")


def main(argv: list[str] | None = None) -> int:
    """Print the report of one score; 0 where it ran."""
    parser = argparse.ArgumentParser(prog="python -m tests.accuracy", description=__doc__)
    parser.add_argument("score", choices=SCORES)
    parser.add_argument("--truth", type=Path, required=True, help="the truth file of that score")
    parser.add_argument("--configs", type=Path, help="folder of <org>--<model>/config.json")
    parser.add_argument("--refusals", type=Path, help="kv: refusals.json, beside the truth file when left out")
    parser.add_argument("--worst", type=int, default=20, help="worst rows to print")
    parser.add_argument("--leave-out", choices=LEFT_OUT["benchmarks"], help="score each row as if it were unseen")
    options = parser.parse_args(argv)
    if options.leave_out and options.leave_out not in LEFT_OUT.get(options.score, ()):
        able = ", ".join(LEFT_OUT.get(options.score, ())) or "nothing: no coefficient is fitted to its rows"
        parser.error(f"--leave-out {options.leave_out}: {options.score} can leave out {able}")
    if not options.truth.is_file():
        parser.error(f"no such file: {options.truth}")
    module = importlib.import_module(f"tests.accuracy.{options.score.replace('-', '_')}")
    more = {"refusals": options.refusals} if options.refusals and options.score == "kv" else {}
    more |= {"leave_out": options.leave_out} if options.leave_out else {}
    lines = module.report(options.truth, options.configs, worst=options.worst, **more)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
