"""Unusual repositories that an update must neither break nor lose an edit in."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from fixtures.deployments import MODEL, OTHER, commit, git, request_for

from generator.errors import ConflictError, RenderError, RequestError
from generator.operations.adopt import adopt
from generator.operations.check import check, deployments
from generator.operations.generate import generate
from generator.operations.resolve import resolve
from generator.operations.team import publish, use
from generator.operations.update import update
from generator.rendering.answers import read
from generator.sources.profile import load_profile

ANSWERS = ".copier-answers.yml"


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
    with pytest.raises(RenderError, match=r"two branches changed the answers: run `vllm-wizard update --resolve`"):
        update(deployment, {}, packaged=bundle)


@pytest.mark.parametrize(
    ("ref", "error", "said"),
    [
        (
            "1.0.0",
            RequestError,
            r"older than this deployment's 1\.1\.0, .* generate --profile profile.yaml --template 1",
        ),
        ("7.0", RequestError, "not among 1.0.0, 1.1.0"),
    ],
)
def test_a_version_that_cannot_be_moved_to_is_refused(deployment, bundle, ref, error, said):
    update(deployment, {}, ref="1.1.0", packaged=bundle)
    commit(deployment)
    with pytest.raises(error, match=said):
        update(deployment, {}, ref=ref, packaged=bundle)
    assert git(deployment, "status", "--porcelain") == ""


def test_defaults_are_kept_only_on_the_way_to_another_release(deployment, bundle):
    with pytest.raises(RequestError, match=r"name that release, --vllm X\.Y"):
        update(deployment, {"gpus": 2}, keep_defaults=True, packaged=bundle)
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


def test_an_equal_spelling_in_the_profile_is_no_conflict(tmp_path, monkeypatch):
    """A person writes YAML without the template's quotes; comments of theirs stay."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    place = generate(request_for(overrides={"max_num_seqs": 9}), tmp_path / "new").path
    profile = place / "profile.yaml"
    text = profile.read_text(encoding="utf-8")
    mine = text.replace(f'id: "{MODEL}"', f"id: {OTHER}  # better").replace('{"max_num_seqs": 9}', "{max_num_seqs: 17}")
    assert f"id: {OTHER}  # better" in mine
    assert "{max_num_seqs: 17}" in mine
    profile.write_text("# Ours.\n" + mine, encoding="utf-8")
    commit(place)
    report = update(place, load_profile(profile).answers)
    assert (report.files.conflicts, report.plan_after.engine["max_num_seqs"]) == ((), 17)
    assert profile.read_text(encoding="utf-8").startswith("# Ours.\n")
    assert 'vllm_args: {"max_num_seqs": 17}' in profile.read_text(encoding="utf-8")
    commit(place)
    profile.write_text(profile.read_text(encoding="utf-8").replace('{"max_num_seqs": 17}', "{max_num_seqs: 5}"))
    commit(place)
    with pytest.raises(ConflictError) as conflict:
        update(place, {"overrides": {"max_num_seqs": 6}})
    assert conflict.value.files == ("profile.yaml",)


OTHER_TEMPLATE = "_commit: v3\n_src_path: https://git.example/python-template\nname: x\n"


@pytest.mark.parametrize("command", [update, adopt, check, resolve])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda p: shutil.copy(p / ANSWERS, p / ".copier-answers.b.yml"), "has two deployments"),
        (lambda p: (p / ANSWERS).rename(p / ".copier-answers.b.yml"), r"git mv \.copier-answers\.b\.yml"),
        (lambda p: (p / ANSWERS).write_text(OTHER_TEMPLATE), "is of another template"),
        (
            lambda p: (p / ANSWERS).rename(p / ".copier-answers.b.yml") and (p / ANSWERS).write_text(OTHER_TEMPLATE),
            "beside another template's",
        ),
    ],
)
def test_answers_that_no_command_can_read_are_named(generated, tmp_path, bundle, command, spoil, said):  # noqa: PLR0917
    """Every file of a deployment has one name, so a directory holds one."""
    place = Path(shutil.copytree(generated.path, tmp_path / "two"))
    spoil(place)
    commit(place)
    with pytest.raises(RequestError, match=said):
        command(place, packaged=bundle)
    assert not git(place, "status", "--porcelain")


def test_deployments_are_found_beside_other_templates(generated, tmp_path):
    """A repository may be made of a template of another kind; its answers are no deployment's."""
    (tmp_path / ANSWERS).write_text(OTHER_TEMPLATE)
    for name in ("deployments/a", "deployments/é b", "deployments/broken"):
        shutil.copytree(generated.path, tmp_path / name, ignore=shutil.ignore_patterns(".git"))
    (tmp_path / "deployments/broken" / ANSWERS).write_text("- 1\n")
    found = [str(place.relative_to(tmp_path)) for place in deployments(tmp_path)]
    assert found == ["deployments/a", "deployments/broken", "deployments/é b"]


def test_a_moved_tag_is_noticed(deployment, bundle, tmp_path):
    """An update would start from what the tag means now, and take the difference for an edit of the user."""
    remote = tmp_path / "team.git"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "team.git")
    publish(str(remote), bundle)
    use(deployment, str(remote), bundle)
    commit(deployment)
    assert not update(deployment, packaged=bundle).files.any
    git(remote, "tag", "--force", "1.0.0", "1.1.0")
    before = (read(deployment).commit or "")[:12]
    with pytest.raises(
        RenderError, match=rf"template 1\.0\.0 of .* was moved from commit {before} .*: put that tag back"
    ):
        update(deployment, {"model": OTHER}, packaged=bundle)
    found = {one.check: one for one in check(deployment, packaged=bundle).findings}
    assert found["moved_template"].severity == "error"
    assert "edited_files" not in found
    with pytest.raises(RequestError, match="another one"):
        use(deployment, str(remote), bundle)
    edit = (deployment / ANSWERS).read_text(encoding="utf-8")
    (deployment / ANSWERS).write_text(
        "".join(line for line in edit.splitlines(keepends=True) if "_template_commit" not in line)
    )
    commit(deployment)
    update(deployment, {"model": OTHER}, packaged=bundle)  # answers of an older template name no commit
    assert f"This serves {OTHER} at" in (deployment / "README.md").read_text()


def test_the_commands_of_a_team_below_the_root_of_a_linked_worktree(generated, bundle, tmp_path):
    """adopt, check and resolve, in a monorepo whose root has another template, with a name that is not ASCII."""
    repository = tmp_path / "répo"
    shutil.copytree(generated.path, repository / "deployments/é b", ignore=shutil.ignore_patterns(".git"))
    (repository / ANSWERS).write_text(OTHER_TEMPLATE)
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(repository))
    git(repository, "add", "--all", "--force")
    commit(repository)
    git(repository, "worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"))
    place = tmp_path / "linked/deployments/é b"
    git(place, "switch", "--quiet", "--create", "a")
    serve = (place / "serve.yaml").read_text()
    served = f"max-num-seqs: {read(place).plan.engine['max_num_seqs']}"
    assert served in serve
    (place / "serve.yaml").write_text(serve.replace(served, "max-num-seqs: 7"))
    assert adopt(place, packaged=bundle).plan_after.engine["max_num_seqs"] == 7
    commit(place)
    git(place, "switch", "--quiet", "--create", "b", "main")
    update(place, {"model": OTHER}, packaged=bundle)
    commit(place)
    done = subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b.invalid", "merge", "a"],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "CONFLICT" in done.stdout
    report = resolve(place, packaged=bundle)
    assert (report.plan_after.inputs["model"], report.plan_after.engine["max_num_seqs"]) == (OTHER, 7)
    commit(place)
    assert check(place, offline=True, packaged=bundle).clean
