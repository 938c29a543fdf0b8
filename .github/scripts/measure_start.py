"""Measure what a start costs: CPU seconds of short commands beside `import typer` in the same run, the best of seven.

python .github/scripts/measure_start.py

Compiled modules are used, as an installed package has them. It prints the table of docs/explanation/performance.md.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

_TIMES = 7
_PLAN = ("plan", "Qwen/Qwen3-8B", "--gpu", "L4", "--offline")
_CHECK = ("check", "--offline")
BASE = "`import typer`"
COMMANDS = {BASE: ("-c", "import typer")} | {
    f"`{' '.join(words)}`": ("-m", "generator", *words) for words in (("--version",), ("--help",), _PLAN, _CHECK)
}
WANTED = {"`--version`": 2.4, "`--help`": 2.4, f"`{' '.join(_PLAN)}`": 5.0, f"`{' '.join(_CHECK)}`": 6.0}
"""Each command's most in times of `import typer`."""
_SLOW_S, _SLACK = 0.1, 1.3
"""A machine that imports typer in more has small caches, where a large program loses more than a small one: `plan` took
4.7 times where that is 0.07 s, and the same commit 5.7 times where it is 0.12 s."""


def cpu_seconds() -> dict[str, float]:
    """User and system time of the cheapest of seven runs of each command; they take turns, so that all meet one load.

    Those of the git that `check` asks are counted in. They run in a deployment that is made here first.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    found = dict.fromkeys(COMMANDS, float("inf"))
    with TemporaryDirectory() as folder:
        place = Path(folder) / "deployment"
        made = (*_PLAN[2:], "--yes", "-m", _PLAN[1], "-o", str(place))
        environment["HOME"] = folder  # a store of its own
        _spent(("-m", "generator", "generate", *made), environment, Path(folder))
        for _ in range(_TIMES):
            for name, words in COMMANDS.items():
                found[name] = min(found[name], _spent(words, environment, place))
    return found


def _spent(words: tuple[str, ...], environment: dict[str, str], place: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], env=environment, cwd=place, capture_output=True, check=True)  # noqa: S603
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def too_slow(found: dict[str, float]) -> dict[str, float]:
    """The commands that cost more than they may, in times of `import typer`."""
    base = found[BASE]
    slack = _SLACK if base > _SLOW_S else 1.0
    return {name: found[name] / base for name, most in WANTED.items() if found[name] > most * slack * base}


def main() -> None:
    """Print the table."""
    found = cpu_seconds()
    print(f"| command | CPU, s | times {BASE} | at most |", "|---|---|---|---|", sep="\n")
    for name, seconds in found.items():
        print(f"| {name} | {seconds:.2f} | {seconds / found[BASE]:.1f} | {WANTED.get(name, '')} |")


if __name__ == "__main__":
    main()
