"""Mutation testing: `python -m tests.adversity.mutation AREA SEED`; a run goes on where the last one stopped.

Faults are drawn by seed from the lines that the area's tests reach; each is put into its module in a process of its
own, which runs the tests that reach its line, the quickest first. A test that fails kills it, or 60 s of computing.
"""

from __future__ import annotations

import argparse
import importlib.abc
import importlib.util
import json
import os
import resource
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from coverage import CoverageData

from tests.adversity.mutations import Fault, faults, with_fault
from tests.adversity.rows import append, read

ROOT = Path(__file__).parents[2]
_QUIET = ("--cov-report=", "--cov-fail-under=0")
LONGEST_S, TESTS_S = 60, 20
"""Of one fault; and of its tests where nothing is wrong, so that one that goes on for longer hangs."""
_RULES_TESTS = (
    "rules start tower_rules serving speculation drafts limits ranges backends pooling lora paths owned context"
    " repository_code vllm_config quantization registry kinds_of_starts workflow"
)
_RENDERING_TESTS = (
    "merging transaction_files transaction_recovery workspace trust store answers copier_driver mending states"
    " doctor importing engine_import migration templates running preflight questions measured yaml_text reach"
)
AREAS = {
    "rules": (100, ("generator/planning/rules",), _RULES_TESTS),
    "rendering": (50, ("generator/rendering", "generator/operations"), _RENDERING_TESTS),
}
"""How many faults are drawn, of which packages, and the unit tests that are asked."""


class Reach:
    """What the area's tests reach, and how long each takes."""

    def __init__(self, area: str, place: Path) -> None:
        self._data, times = place / f"{area}.coverage", place / f"{area}.times.json"
        if not times.is_file():
            self._measured(area, times)
        self._seconds: dict[str, float] = json.loads(times.read_text(encoding="utf-8"))
        self._covered = CoverageData(str(self._data))
        self._covered.read()

    def tests(self, fault: Fault) -> list[str]:
        """The tests that reach its line, the quickest first, as many as end in time."""
        found = self._covered.contexts_by_lineno(str(ROOT / fault.file)).get(fault.line, [])
        names = {name.partition("|")[0] for name in found if name}
        chosen, total = [], 0.0
        for name in sorted(names, key=lambda one: (self._seconds.get(one, 1.0), one)):
            total += self._seconds.get(name, 1.0)
            if total > TESTS_S:
                break
            chosen.append(name)
        return chosen

    def _measured(self, area: str, times: Path) -> None:
        _, packages, names = AREAS[area]
        files = [str(file) for name in names.split() if (file := ROOT / f"tests/unit/test_{name}.py").is_file()]
        covered = [f"--cov={package}" for package in packages]
        words = [
            "-q",
            "-p",
            "no:cacheprovider",
            "--cov-context=test",
            "--cov-report=",
            "--cov-fail-under=0",
            *covered,
            *files,
        ]
        environment = os.environ | {"COVERAGE_FILE": str(self._data), "VLLM_WIZARD_TIMES": str(times)}
        plugin = ["-p", "tests.adversity.mutation"]
        subprocess.run([sys.executable, "-m", "pytest", *plugin, *words], cwd=ROOT, env=environment, check=False)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Keep how long each test took."""
    if target := os.environ.get("VLLM_WIZARD_TIMES"):
        reports = session.config.pluginmanager.get_plugin("terminalreporter").stats.get("passed", [])
        Path(target).write_text(json.dumps({one.nodeid: one.duration for one in reports}), encoding="utf-8")


class _Loader(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module with a fault in it."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._name = fault.file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")

    def find_spec(self, fullname, path=None, target=None):  # noqa: ARG002 - importlib's words
        if fullname != self._name:
            return None
        return importlib.util.spec_from_file_location(fullname, ROOT / self._fault.file, loader=self)

    def exec_module(self, module) -> None:
        text = (ROOT / self._fault.file).read_text(encoding="utf-8")
        code = compile(with_fault(text, self._fault.number), self._fault.file, "exec")
        exec(code, module.__dict__)


def _outcome(fault: Fault, tests: list[str]) -> str:
    """What became of it: killed by a test, or by time, or survived."""
    pid = os.fork()
    if not pid:
        resource.setrlimit(resource.RLIMIT_CPU, (LONGEST_S, LONGEST_S + 5))
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        sys.meta_path.insert(0, _Loader(fault))
        os.chdir(ROOT)
        os._exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:cov", *tests]))
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return "survived" if status == 0 else "killed by time" if status == -signal.SIGXCPU else "killed"


def drawn(area: str, seed: int, reach: Reach) -> list[Fault]:
    """The faults of a seed, among the lines that tests reach."""
    wanted, packages, _ = AREAS[area]
    files = sorted(file for package in packages for file in (ROOT / package).rglob("*.py"))
    known = [fault for file in files for fault in faults(ROOT, file) if reach.tests(fault)]
    return Random(f"{area}/{seed}").sample(known, wanted)


def main() -> int:
    """Try the faults of an area that are not tried yet; 1 where fewer than 85 % of all were killed."""
    parser = argparse.ArgumentParser(prog="python -m tests.adversity.mutation", description=__doc__)
    parser.add_argument("area", choices=AREAS)
    parser.add_argument("seed", type=int, nargs="?", default=2026)
    parser.add_argument("--state", type=Path, default=Path(__file__).parent / "measured")
    parser.add_argument("--reach", type=Path, default=ROOT / ".cache" / "mutation")
    given = parser.parse_args()
    given.reach.mkdir(parents=True, exist_ok=True)
    state = given.state.absolute() / f"mutation-{given.area}-{given.seed}.jsonl"
    reach = Reach(given.area, given.reach.absolute())
    done = {(row["file"], row["line"], row["kind"], row["was"], row["number"]) for row in read(state)}
    for fault in drawn(given.area, given.seed, reach):
        if (fault.file, fault.line, fault.kind, fault.was, fault.number) not in done:
            tests = reach.tests(fault)
            append(state, fault._asdict() | {"outcome": _outcome(fault, tests), "tests": len(tests)})
    found = Counter(row["outcome"] for row in read(state))
    sys.stdout.write(json.dumps(dict(found)) + "\n")
    return 0 if found["survived"] <= 0.15 * found.total() else 1


if __name__ == "__main__":
    sys.exit(main())
