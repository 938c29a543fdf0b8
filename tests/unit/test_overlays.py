"""Patches for files that are the user's."""

from __future__ import annotations

import subprocess

from generator.models.migration import MigrationNote
from generator.presenting.overlays import mentions, patch

RENAMED = MigrationNote(kind="renamed", flag="old_flag", before=1, flag_after="new_flag", after=1, reason="renamed")
DROPPED = MigrationNote(kind="dropped", flag="gone", before=1, flag_after=None, after=None, reason="has no use")
NEW_DEFAULT = MigrationNote(kind="default", flag="quiet", before=1, flag_after="quiet", after=2, reason="other")
TEXT = """services:
  vllm:
    command: [--old-flag, "1", --gone, --quiet, --old-flag-too]

    # old_flag is set above, --no-old-flag is not, hold_flag and old_flagged are other words
"""


def test_every_line_that_names_a_changed_argument_is_told():
    found = mentions("compose.override.yaml", TEXT, (RENAMED, DROPPED, NEW_DEFAULT))
    assert [(one.line, one.flag) for one in found] == [(3, "old_flag"), (3, "gone"), (5, "old_flag")]
    assert found[0].advice == "write new-flag: renamed"
    assert found[1].advice == "remove it: has no use"


def test_the_patch_applies_and_renames_each_spelling_and_no_other_word(tmp_path):
    (tmp_path / "compose.override.yaml").write_text(TEXT)
    made = patch("compose.override.yaml", TEXT, (RENAMED, DROPPED))
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=made, text=True, check=True)
    changed = (tmp_path / "compose.override.yaml").read_text()
    assert '[--new-flag, "1", --gone, --quiet, --old-flag-too]' in changed
    assert "# new_flag is set above, --no-new-flag is not, hold_flag and old_flagged are other words" in changed


def test_a_file_without_its_last_line_end_is_patched_too(tmp_path):
    (tmp_path / "a").write_text("x\n--old-flag")
    made = patch("a", "x\n--old-flag", (RENAMED,))
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=made, text=True, check=True)
    assert (tmp_path / "a").read_text() == "x\n--new-flag"


def test_a_file_that_mentions_nothing_has_no_patch():
    assert patch("a", "--other", (RENAMED,)) == ""
    assert mentions("a", "--other", (RENAMED,)) == ()
