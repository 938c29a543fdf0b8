"""A command imports what it needs and no more: what a start must not load, by what each command does."""

from __future__ import annotations

import subprocess
import sys

import pytest

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
        (("plan", "Qwen/Qwen3-8B", "--gpu", "L4", "--offline"), (*_HEAVY, "generator.sources.architectures")),
    ],
)
def test_a_start_leaves_out_what_it_does_not_need(words, absent):
    done = subprocess.run([sys.executable, "-c", _SCRIPT, *words], capture_output=True, check=True, text=True)
    loaded = set(done.stderr.split())
    assert "typer" in loaded
    assert sorted(loaded & set(absent)) == []
