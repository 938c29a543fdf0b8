"""Lives of a deployment under adversity: no edit is lost, whatever dies or is saved meanwhile.

`VLLM_WIZARD_LIVES` is the number of lives; `python -m tests.adversity lives SEED NUMBER` lives many, and counts.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from fixtures.edits import KINDS
from fixtures.lives import Life
from fixtures.walk import four_releases
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from generator.rendering.workspace import workspace

LIVES = int(os.environ.get("VLLM_WIZARD_LIVES", "2"))
STEPS = int(os.environ.get("VLLM_WIZARD_LIVES_STEPS", "5"))


class Lives(RuleBasedStateMachine):
    """One life an example."""

    folder, bundle = Path(), Path()

    @initialize(dice=st.randoms(use_true_random=False))
    def begin(self, dice):
        """A new deployment."""
        self.place = tempfile.TemporaryDirectory(dir=self.folder, prefix="life")
        self.life = Life(Path(self.place.name) / "dépôt", self.bundle, dice)

    @rule(kind=st.sampled_from(sorted(KINDS)))
    def edit(self, kind):
        """The user writes."""
        self.life.edit(kind)

    @rule(what=st.sampled_from(Life.HAPPENINGS))
    def happen(self, what):
        """An update, and what disturbs it."""
        getattr(self.life, what)()

    @rule()
    def kill(self):
        """An update dies."""
        self.life.killed()

    def teardown(self):
        """The deployment goes."""
        if hasattr(self, "place"):
            self.place.cleanup()


@pytest.mark.slow
def test_no_edit_is_lost_in_any_life(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Lives, "folder", tmp_path)
    monkeypatch.setattr(Lives, "bundle", four_releases(tmp_path / "releases"))
    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=LIVES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize="VLLM_WIZARD_LIVES" not in os.environ,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    for path in tmp_path.glob("vllm-wizard-*"):
        os.utime(path, (0, 0))  # as if an hour had passed: one that died unmarked is left alone for ten minutes
    with workspace():
        left = [path.name for path in tmp_path.iterdir() if path.name.startswith(("vllm-wizard-", "copier."))]
    assert len(left) == 1, "the next command clears what dead ones left"
