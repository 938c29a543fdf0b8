"""Random sequences of edits and updates: no edit is lost, and the plan stays that of the recorded answers.

`VLLM_WIZARD_WALKS` is the number of sequences, `VLLM_WIZARD_WALK_SEED` the first one's seed, to repeat a failure.
"""

from __future__ import annotations

import os

import pytest
from fixtures.walk import Walk, four_releases

WALKS = int(os.environ.get("VLLM_WIZARD_WALKS", "2"))
FIRST = int(os.environ.get("VLLM_WIZARD_WALK_SEED", "1"))
STEPS = int(os.environ.get("VLLM_WIZARD_WALK_STEPS", "5"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return four_releases(tmp_path_factory.mktemp("walk"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(FIRST, FIRST + WALKS))
def test_a_random_walk_loses_no_edit_and_no_plan(bundle, tmp_path, monkeypatch, seed):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    walk = Walk(seed, tmp_path / "dépôt", bundle)
    for _ in range(STEPS):
        walk.step()
