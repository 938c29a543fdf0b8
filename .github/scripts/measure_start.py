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


def cpu_seconds(words: tuple[str, ...]) -> float:
    """User and system time of the cheapest of five runs."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    found = []
    for _ in range(_TIMES):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *words], env=environment, capture_output=True, check=True)  # noqa: S603
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found)


def main() -> None:
    """Print the table."""
    found = {name: cpu_seconds(words) for name, words in COMMANDS.items()}
    base = next(iter(found.values()))
    print("| command | CPU, s | times `import typer` |", "|---|---|---|", sep="\n")
    for name, seconds in found.items():
        print(f"| {name} | {seconds:.2f} | {seconds / base:.1f} |")


if __name__ == "__main__":
    main()
