"""What a start must not load, by what each command does, and what it may cost beside `import typer`."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

_MEASURE = runpy.run_path(str(Path(__file__).parents[2] / ".github" / "scripts" / "measure_start.py"))

_HEAVY = ("copier", "huggingface_hub", "httpx", "jinja2", "questionary", "yaml", "pynvml")
_PLANNING = ("generator.models", "generator.planning", "generator.catalogue", "generator.sources")
_SCRIPT = """
import sys
sys.argv = ["vllm-wizard", *sys.argv[1:]]
from generator.cli.app import run
run()
print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("words", "absent"),
    [
        (("--version",), (*_HEAVY, *_PLANNING, "rich")),
        (("--help",), (*_HEAVY, *_PLANNING)),
        (("plan", "Qwen/Qwen3-8B", "--gpu", "L4", "--offline"), (*_HEAVY, "rich", "generator.sources.architectures")),
    ],
)
def test_a_start_leaves_out_what_it_does_not_need(words, absent):
    done = subprocess.run([sys.executable, "-c", _SCRIPT, *words], capture_output=True, check=True, text=True)
    loaded = set(done.stderr.split())
    assert "typer" in loaded
    assert sorted(loaded & set(absent)) == []


def test_a_start_costs_little_beside_typers_own():
    """CPU time in one run, so that a busy machine slows both; load only adds, so that the best of three runs counts."""
    best = _MEASURE["cpu_seconds"]()
    for _ in range(2):
        if not _MEASURE["too_slow"](best):
            break
        again = _MEASURE["cpu_seconds"]()
        best = {name: min(best[name], again[name]) for name in best}
    assert _MEASURE["too_slow"](best) == {}
