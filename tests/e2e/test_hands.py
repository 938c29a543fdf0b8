"""Conflicts that need no person: what the command names itself, and sentences that are nobody's words."""

from __future__ import annotations

from contextlib import suppress
from subprocess import CalledProcessError

import pytest
from fixtures.deployments import OTHER, commit, git

from generator.cli.update_report import show_update
from generator.errors import ConflictError
from generator.operations.resolve import resolve
from generator.operations.undo import undo
from generator.operations.update import update
from generator.presenting.update_report import update_markdown


def replaced(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_value_by_hand_gives_way_to_the_command_that_names_it(deployment, bundle, capsys):
    """It is reported with both values, its comment stays, and one command brings it back."""
    serve = deployment / "serve.yaml"
    replaced(serve, "max-num-seqs: 256\n", "max-num-seqs: 7  # the gateway\n")
    commit(deployment)
    done = update(deployment, {"overrides": {"max_num_seqs": 48}}, packaged=bundle)
    assert "max-num-seqs: 48  # the gateway\n" in serve.read_text(encoding="utf-8")
    show_update(done)
    assert "decided  serve.yaml: max-num-seqs: 7, by hand, is 48 as you say now" in capsys.readouterr().out
    assert "serve.yaml: max-num-seqs: 7 → 48" in update_markdown(done)
    undo(deployment)
    assert "max-num-seqs: 7  # the gateway\n" in serve.read_text(encoding="utf-8")


def test_a_value_by_hand_is_no_plans_to_change(deployment, bundle):
    """Another model's limit is nobody's word about that value: both values are in the conflict."""
    replaced(deployment / "serve.yaml", "max-model-len: 40960\n", "max-model-len: 7000\n")
    commit(deployment)
    with pytest.raises(ConflictError) as caught:
        update(deployment, {"model": OTHER, "overrides": {"max_num_seqs": 48}}, packaged=bundle)
    assert caught.value.report.decided == ()
    text = (deployment / "serve.yaml").read_text(encoding="utf-8")
    assert "<<<<<<< before updating\nmax-model-len: 7000\n=======\nmax-model-len: 131072\n" in text


def test_a_sentence_of_an_earlier_plan_is_no_edit(deployment, bundle):
    """Somebody took their side of a conflict once, and the sentence of that day with it; their words stay."""
    readme = deployment / "README.md"
    replaced(readme, "256 sequences\n", "300 sequences\n")
    commit(deployment)
    with pytest.raises(ConflictError, match=r"conflicts in README\.md"):
        update(deployment, {"model": OTHER}, packaged=bundle)
    git(deployment, "checkout", "--ours", "--", "README.md")
    replaced(readme, "300 sequences\n", "256 sequences\nOur words.\n")
    commit(deployment)
    done = update(deployment, {"gpus": 2}, packaged=bundle)
    assert f"\n{done.plan_after.summary}\nOur words.\n" in readme.read_text(encoding="utf-8")
    assert done.plan_after.summary.startswith(f"{OTHER} on 2 GPUs")


@pytest.mark.parametrize("lead", ["../mine/run.sh", "../nowhere/run.sh"])
def test_nothing_is_written_through_a_link_when_branches_are_resolved(deployment, bundle, lead):
    """A managed file that the user keeps elsewhere, or that leads nowhere, is the same link afterwards."""
    (deployment / "mine").mkdir()
    (deployment / "scripts/run.sh").rename(deployment / "mine/run.sh")
    (deployment / "mine/run.sh").write_text("mine\n", encoding="utf-8")
    (deployment / "scripts/run.sh").symlink_to(lead)
    commit(deployment)
    git(deployment, "checkout", "--quiet", "-b", "side")
    update(deployment, {"gpus": 2}, packaged=bundle)
    commit(deployment)
    git(deployment, "checkout", "--quiet", "main")
    update(deployment, {"overrides": {"max_num_seqs": 48}}, packaged=bundle)
    commit(deployment)
    with suppress(CalledProcessError):
        git(deployment, "merge", "--quiet", "--no-edit", "side")
    done = resolve(deployment, packaged=bundle)
    assert done.plan_after.summary.endswith("48 sequences")
    assert (deployment / "scripts/run.sh").readlink().as_posix() == lead
    assert (deployment / "mine/run.sh").read_text(encoding="utf-8") == "mine\n"
