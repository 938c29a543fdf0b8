"""`check` on deployments that somebody worked with, with real git and real Copier."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import date
from hashlib import sha256

import pytest
import yaml
from fixtures.deployments import MODEL, OTHER, commit, git, request_for, tree
from fixtures.hub_server import Model

from generator.catalogue.models import embedded_model
from generator.errors import RenderError, RequestError
from generator.operations.check import check, deployments
from generator.operations.generate import generate
from generator.operations.looks import CHECKS
from generator.operations.update import update

ANSWERS = ".copier-answers.yml"
EXPECTED = {"newer_template", "unpinned_model"}
"""The shared deployment is pinned to 1.0.0 on purpose, 1.1.0 is out, and its facts are the package's own."""
TODAY = date(2026, 11, 24)


def look(place, bundle, **options):
    """Names of the findings of an offline check that leave the tree as it was."""
    before = tree(place)
    report = check(place, packaged=bundle, today=TODAY, **{"offline": True} | options)
    assert tree(place) == before
    return {one.check: one for one in report.findings if one.check not in EXPECTED}


def edit_answers(place, change):
    content = yaml.safe_load((place / ANSWERS).read_text(encoding="utf-8"))
    change(content)
    (place / ANSWERS).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    commit(place)


def redigest(plan, **engine):
    plan["engine"] |= engine
    body = {name: value for name, value in plan.items() if name != "digest"}
    plan["digest"] = sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def replace(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def merge(place, branch):
    """What `git merge` says; its conflicts stay."""
    words = ["git", "-c", "user.name=a", "-c", "user.email=a@b.invalid", "merge", "--no-edit", branch]
    return subprocess.run(words, cwd=place, capture_output=True, text=True, check=False).stdout


def test_a_deployment_as_generated_has_nothing_to_correct(deployment, bundle):
    report = check(deployment, offline=True, packaged=bundle, today=TODAY)
    assert report.clean
    assert {one.check for one in report.findings} == EXPECTED
    assert (report.template, report.template_newest) == ("1.0.0", "1.1.0")
    assert (report.vllm, report.vllm_newest) == ("0.33.0", "0.33.0")
    assert (report.model, report.revision_newest) == (MODEL, None)
    assert report.files_compared


@pytest.mark.parametrize(
    ("spoil", "found", "severity", "said"),
    [
        (lambda p: replace(p / "README.md", "notes:", "notes: mine"), "edited_files", "note", "README.md"),
        (lambda p: (p / "scripts/run.sh").unlink(), "deleted_files", "note", "scripts/run.sh"),
        (lambda p: (p / "x.rej").touch(), "conflict_markers", "error", "x.rej"),
        (
            lambda p: (p / "mine.md").write_text("<<<<<<< HEAD\na\n=======\nb\n>>>>>>> x\n"),
            "conflict_markers",
            "error",
            "mine.md",
        ),
        (lambda p: shutil.rmtree(p / ".git"), "no_repository", "warning", "git init"),
        (lambda p: edit_answers(p, lambda c: c.update(gpus=4)), "edited_answers", "error", "gpus"),
        (
            lambda p: edit_answers(p, lambda c: c["plan"]["engine"].update(max_num_seqs=9)),
            "edited_plan",
            "error",
            "--set",
        ),
        (lambda p: edit_answers(p, lambda c: c.update(_commit="7.0.0")), "unknown_template", "error", "7.0.0"),
    ],
)
def test_each_kind_of_drift_is_one_finding(deployment, bundle, spoil, found, severity, said):  # noqa: PLR0917
    spoil(deployment)
    before = tree(deployment)
    report = check(deployment, offline=True, packaged=bundle)
    assert tree(deployment) == before
    kinds = {one.check: one for one in report.findings}
    assert kinds[found].severity == severity
    assert said in kinds[found].message
    assert report.clean is (severity == "note")


def test_a_repository_that_git_does_not_read_is_said_to_be_that(deployment, bundle, monkeypatch):
    """In a container the files are often another user's, and `git init` mends nothing."""
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own switch for its tests (t/t0033)
    found = look(deployment, bundle)
    assert "dubious ownership" in found["unread_repository"].message
    assert "no_repository" not in found
    with pytest.raises(RenderError, match="dubious ownership"):
        update(deployment, {}, packaged=bundle)


def test_the_users_own_files_are_nobodys_concern(deployment, bundle):
    (deployment / "values.local.yaml").write_text("mine: 7\n")
    (deployment / "mine.txt").write_text("mine\n")
    commit(deployment)
    assert look(deployment, bundle) == {}


def test_an_edit_of_serve_yaml_names_adopt(deployment, bundle):
    serve = deployment / "serve.yaml"
    content = yaml.safe_load(serve.read_text())
    replace(serve, f"max-num-seqs: {content['max-num-seqs']}", "max-num-seqs: 17")
    found = look(deployment, bundle)
    assert "max-num-seqs" in found["served_otherwise"].message
    assert "adopt" in found["served_otherwise"].message
    assert "serve.yaml" in found["edited_files"].message
    serve.write_text("a: [")
    assert "not valid YAML" in look(deployment, bundle)["served_otherwise"].message


def test_an_edited_profile_names_the_command_that_applies_it(deployment, bundle):
    profile = deployment / "profile.yaml"
    profile.write_text(f"model:\n  id: {MODEL}\nhardware:\n  gpus: 1\n")
    commit(deployment)
    assert "profile_otherwise" not in look(deployment, bundle)
    replace(profile, "gpus: 1", "gpus: 2")
    assert "gpus 1 -> 2" in look(deployment, bundle)["profile_otherwise"].message
    profile.write_text("nonsense: 1\n")
    assert "nonsense" in look(deployment, bundle)["profile_otherwise"].message


def test_an_older_planners_plan_is_a_note_with_what_would_change(deployment, bundle):
    def older(content):
        content["plan"]["planner"] = "0.1.0"
        content["plan"]["display"]["memory"] = [["GPU", "1.0 GiB"]]
        redigest(content["plan"], max_num_seqs=1)

    edit_answers(deployment, older)
    found = look(deployment, bundle)
    assert "max_num_seqs 1 ->" in found["aged_plan"].message
    assert "had 1.0 GiB" in found["changed_gpu"].message


def test_a_plan_that_this_version_does_not_make_of_the_answers_is_a_warning(deployment, bundle):
    """A digest is no signature: who edits the plan can compute it again."""
    edit_answers(deployment, lambda content: redigest(content["plan"], max_num_seqs=9))
    found = look(deployment, bundle)
    assert "max_num_seqs 9 ->" in found["other_plan"].message
    assert found["other_plan"].severity == "warning"
    update(deployment, {"replan": 1}, packaged=bundle)
    commit(deployment)
    assert look(deployment, bundle) == {}


def test_an_old_list_price_and_an_unpinned_model_are_notes(bundle, tmp_path):
    place = generate(request_for(gpu="H100-SXM-80GB"), tmp_path / "new", packaged=bundle).path
    found = {one.check: one for one in check(place, offline=True, packaged=bundle, today=date(2027, 11, 9)).findings}
    assert "365 days" in found["old_price"].message
    assert "--replan" in found["unpinned_model"].message
    assert {found["old_price"].severity, found["unpinned_model"].severity} == {"note"}
    update(place, {"price": 2.5}, packaged=bundle)
    later = check(place, offline=True, packaged=bundle, today=date(2027, 11, 9))
    assert "old_price" not in {one.check for one in later.findings}


@pytest.mark.parametrize(
    ("change", "found"),
    [({"vllm": "9.9.9"}, "unknown_release"), ({"gpu": "H1000"}, "unknown_gpu"), ({"gpus": 0}, "refused_plan")],
)
def test_a_fact_that_the_tables_lack_is_an_error_of_one_line(deployment, bundle, change, found):
    edit_answers(deployment, lambda content: content.update(change))
    kinds = look(deployment, bundle, quick=True)
    assert found in kinds
    assert "\n" not in kinds[found].message


def test_two_merged_branches_are_recognised_before_and_after_somebody_picks_a_side(deployment, bundle):
    for branch, changes in (("models", {"model": OTHER}), ("gpus", {"gpus": 2})):
        git(deployment, "switch", "--quiet", "--create", branch, "main")
        update(deployment, changes, packaged=bundle)
        commit(deployment)
    assert "CONFLICT" in merge(deployment, "models")
    found = look(deployment, bundle)
    assert set(found) == {"unmerged_answers"}
    assert "update --resolve" in found["unmerged_answers"].message
    edit = yaml.safe_load((deployment / ANSWERS).read_text())
    edit["gpus"] = 4
    (deployment / ANSWERS).write_text(yaml.safe_dump(edit, sort_keys=False))
    commit(deployment, "merge by hand")
    assert "update --resolve" in look(deployment, bundle)["merged_answers"].message


def test_a_newer_release_of_vllm_is_a_note(bundle, tmp_path):
    made = generate(request_for(vllm="0.32.0"), tmp_path / "new", packaged=bundle)
    report = check(made.path, offline=True, packaged=bundle, today=TODAY)
    assert report.clean
    assert {one.check for one in report.findings} == {"newer_release", "unpinned_model"}
    assert "--vllm 0.33.0" in report.findings[-1].message


def test_the_hub_is_asked_for_the_newest_commit_unless_offline(bundle, tmp_path, hub):
    old, new = "a" * 40, "b" * 40
    facts = embedded_model(MODEL).model_copy(update={"source": "hub", "revision": old})
    made = generate(request_for(source="hub"), tmp_path / "new", facts=facts, packaged=bundle)
    assert check(made.path, packaged=bundle).revision_newest is None  # no such model there: no answer, no error
    hub.models[MODEL] = Model(commit=new, files={})
    report = check(made.path, packaged=bundle)
    assert report.revision_newest == new
    assert "newer_model" in {one.check for one in report.findings}
    assert check(made.path, offline=True, packaged=bundle).revision_newest is None


def test_what_was_rendered_is_remembered(deployment, bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert not check(deployment, offline=True, quick=True, packaged=bundle).files_compared
    assert check(deployment, offline=True, packaged=bundle).files_compared
    assert check(deployment, offline=True, quick=True, packaged=bundle).files_compared
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    assert check(deployment, offline=True, packaged=bundle).files_compared


def test_every_deployment_of_a_repository_is_found(generated, tmp_path):
    for name in ("deployments/one", "deployments/two"):
        shutil.copytree(generated.path, tmp_path / name, ignore=shutil.ignore_patterns(".git"))
    (tmp_path / ".hidden").mkdir()
    shutil.copy(generated.path / ANSWERS, tmp_path / ".hidden")
    found = deployments(tmp_path)
    assert [str(place.relative_to(tmp_path)) for place in found] == ["deployments/one", "deployments/two"]


def test_no_deployment_is_an_error_and_not_a_finding(tmp_path, deployment, bundle):
    with pytest.raises(RequestError, match="generate"):
        check(tmp_path, packaged=bundle)
    (deployment / ANSWERS).write_text("- 1\n")
    with pytest.raises(RenderError, match="names no template"):
        check(deployment, packaged=bundle)


def test_every_finding_has_a_message_of_one_line():
    for _, look in CHECKS:
        assert "\n" not in look.message
        assert look.message.count("{}") >= 1


def run(*words):
    done = subprocess.run([sys.executable, "-m", "generator", *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_the_command_exits_with_8_on_findings_and_prints_json(tmp_path, monkeypatch):
    """With the released template of the package itself."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    place = generate(request_for(), tmp_path / "new").path
    status, out, _ = run("check", str(place), "--offline", "--json")
    assert status == 0, out
    report = json.loads(out)
    assert (report["clean"], report["files_compared"]) == (True, True)
    (place / "x.rej").touch()
    status, out, err = run("check", str(place), "--offline", "--quick")
    assert status == 8
    assert "x.rej" in out
    assert "1 to correct" in " ".join(err.split())
