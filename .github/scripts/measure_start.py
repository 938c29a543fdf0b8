"""Measure what a start costs: CPU seconds of short commands beside `import typer` in the same run, the best of five.

python .github/scripts/measure_start.py

Compiled modules are used, as an installed package has them. It prints the table of docs/explanation/performance.md.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys

_TIMES = 5
_PLAN = ("plan", "Qwen/Qwen3-8B", "--gpu", "L4", "--offline")
COMMANDS = {
    "`import typer`": ("-c", "import typer"),
    "`--version`": ("-m", "generator", "--version"),
    "`--help`": ("-m", "generator", "--help"),
    f"`{' '.join(_PLAN)}`": ("-m", "generator", *_PLAN),
}


def cpu_seconds() -> dict[str, float]:
    """User and system time of the cheapest of five runs of each command; they take turns, so that all meet one load."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    found = dict.fromkeys(COMMANDS, float("inf"))
    for _ in range(_TIMES):
        for name, words in COMMANDS.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, *words], env=environment, capture_output=True, check=True)  # noqa: S603
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            found[name] = min(found[name], spent)
    return found


def ratios() -> dict[str, float]:
    """Each command's time over that of `import typer`."""
    found = cpu_seconds()
    base = next(iter(found.values()))
    return {name: seconds / base for name, seconds in found.items()}


def main() -> None:
    """Print the table."""
    found = cpu_seconds()
    base = next(iter(found.values()))
    print("| command | CPU, s | times `import typer` |", "|---|---|---|", sep="\n")
    for name, seconds in found.items():
        print(f"| {name} | {seconds:.2f} | {seconds / base:.1f} |")


if __name__ == "__main__":
    main()
