"""Unusual repositories that an update must neither break nor lose an edit in."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from fixtures.deployments import MODEL, OTHER, commit, git

from generator.errors import RenderError, RequestError
from generator.operations.update import update


def served(place):
    return (place / "README.md").read_text(encoding="utf-8")


def test_line_endings_of_the_checkout_are_no_conflict(deployment, bundle):
    """`core.autocrlf` alone would make every file one conflict; the rendered .gitattributes settles it."""
    git(deployment, "config", "core.autocrlf", "true")
    git(deployment, "rm", "-rq", "--cached", ".")
    git(deployment, "reset", "--quiet", "--hard")
    (deployment / "README.md").write_text(served(deployment) + "mine\n")
    commit(deployment)
    assert update(deployment, {"model": OTHER}, packaged=bundle).files.conflicts == ()
    assert served(deployment).endswith("mine\n")
    assert OTHER in served(deployment)


def test_a_linked_worktree_is_updated(deployment, bundle, tmp_path):
    git(deployment, "worktree", "add", "--quiet", str(tmp_path / "linked"))
    assert update(tmp_path / "linked", {"model": OTHER}, packaged=bundle).files.changed
    assert OTHER in served(tmp_path / "linked")
    assert MODEL in served(deployment)


def test_a_shallow_clone_is_updated(deployment, bundle, tmp_path):
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{deployment}", "shallow")
    assert update(tmp_path / "shallow", {"model": OTHER}, packaged=bundle).files.changed


def test_submodules_stay_as_they_are(deployment, bundle, tmp_path):
    (tmp_path / "library").mkdir()
    git(tmp_path / "library", "init", "--quiet")
    commit(tmp_path / "library")
    git(
        deployment,
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "add",
        "--quiet",
        str(tmp_path / "library"),
    )
    commit(deployment)
    report = update(deployment, {"model": OTHER}, packaged=bundle)
    assert not [name for name in report.files.changed if "library" in name]
    assert git(deployment, "submodule", "status").startswith(" ")


def test_an_ignored_file_of_the_user_is_kept(deployment, bundle):
    (deployment / ".env").write_text("HF_TOKEN=mine\n")
    update(deployment, {"model": OTHER}, packaged=bundle, upgrade=True)
    assert (deployment / ".env").read_text() == "HF_TOKEN=mine\n"


def test_two_changed_branches_never_mix_their_answers(deployment, bundle):
    """Two plans merged line by line would be a third one that nobody proved: the merge stops instead."""
    for branch, changes in (("models", {"model": OTHER}), ("gpus", {"gpus": 2})):
        git(deployment, "switch", "--quiet", "--create", branch, "main")
        update(deployment, changes, packaged=bundle)
        commit(deployment)
    merge = subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b.invalid", "merge", "models"],
        cwd=deployment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "CONFLICT" in merge.stdout
    with pytest.raises(RenderError, match=r"unresolved conflicts in .*\.copier-answers\.yml"):
        update(deployment, {}, packaged=bundle)


@pytest.mark.parametrize(
    ("ref", "error", "said"),
    [("1.0.0", RenderError, "downgrad"), ("7.0", RequestError, "not among 1.0.0, 1.1.0")],
)
def test_a_version_that_cannot_be_moved_to_is_refused(deployment, bundle, ref, error, said):
    update(deployment, {}, ref="1.1.0", packaged=bundle)
    commit(deployment)
    with pytest.raises(error, match=said):
        update(deployment, {}, ref=ref, packaged=bundle)
    assert git(deployment, "status", "--porcelain") == ""


def test_a_pinned_version_survives_a_newer_release(deployment, bundle):
    report = update(deployment, {"gpus": 2}, packaged=bundle)
    assert (report.template_after, report.files.added) == ("1.0.0", ())


def test_an_update_needs_no_identity_and_no_writable_home(deployment, bundle, tmp_path, monkeypatch):
    """The store is there already; nothing else of HOME is written."""
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    update(deployment, {}, packaged=bundle)
    before = sorted(path for path in home.rglob("*") if path.is_file())
    update(deployment, {"model": OTHER}, packaged=bundle)
    assert sorted(path for path in Path(home).rglob("*") if path.is_file()) == before


def test_a_space_for_scratch_is_left_clean(deployment, bundle, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    update(deployment, {"model": OTHER}, packaged=bundle)
    with pytest.raises(RequestError):
        update(deployment.parent, {}, packaged=bundle)
    assert list(scratch.iterdir()) == []
    shutil.rmtree(scratch)
