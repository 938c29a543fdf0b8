"""Merged branches, edits that are adopted, updates that are taken back: with real git and real Copier."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from fixtures.deployments import MODEL, OTHER, SMALL, commit, git, request_for, tree, write_checkout

from generator.errors import ConflictError, RenderError, RequestError
from generator.operations import templates
from generator.operations.adopt import adopt
from generator.operations.check import check
from generator.operations.generate import generate
from generator.operations.preview import preview
from generator.operations.resolve import resolve
from generator.operations.undo import undo
from generator.operations.update import update
from generator.presenting.update_report import update_markdown
from generator.rendering import store

ANSWERS = ".copier-answers.yml"


def answers_of(place):
    return yaml.safe_load((place / ANSWERS).read_text(encoding="utf-8"))


def replace(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def append(path, text):
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def branch(place, name, bundle, changes, edit=None, **options):
    git(place, "switch", "--quiet", "--create", name, "main")
    update(place, changes, packaged=bundle, **options)
    if edit:
        edit(place)
    commit(place, name)


def merge(place, name, *words):
    done = subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b.invalid", *(words or ("merge", "--no-edit")), name],
        cwd=place, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def findings(place, bundle):
    return {one.check for one in check(place, offline=True, packaged=bundle).findings if one.severity != "note"}


# Merged branches


def test_two_branches_with_different_inputs_become_one_plan_with_the_edits_of_both(deployment, bundle, tmp_path):
    branch(deployment, "models", bundle, {"model": OTHER}, lambda p: append(p / "README.md", "from models\n"))
    git(deployment, "switch", "--quiet", "main")

    def edit(place):
        replace(place / "README.md", "By hand below.", "By our hands below.")
        (place / "mine.txt").write_text("mine\n")

    branch(deployment, "gpus", bundle, {"gpus": 2}, edit)
    assert "CONFLICT" in merge(deployment, "models")
    report = resolve(deployment, packaged=bundle)
    assert {change.name: change.after for change in report.answers} == {"model": OTHER}
    recorded = answers_of(deployment)
    assert (recorded["model"], recorded["gpus"]) == (OTHER, 2)
    readme = (deployment / "README.md").read_text()
    assert "By our hands below." in readme
    assert readme.endswith("from models\n")
    assert OTHER in readme
    assert "<<<<<<<" not in readme
    assert git(deployment, "ls-files", "--unmerged") == ""
    commit(deployment, "merge")
    assert git(deployment, "rev-list", "--parents", "-1", "HEAD").count(" ") == 2
    assert findings(deployment, bundle) == set()
    fresh = generate(
        request_for(
            model=OTHER,
            gpus=2,
        ),
        tmp_path / "fresh",
        template="1.0.0",
        service="qwen3-8b",
        packaged=bundle,
    )
    assert recorded["plan"] == answers_of(fresh.path)["plan"]
    edited = {"README.md", "mine.txt"}
    assert {k: v for k, v in tree(deployment).items() if k not in edited} == {
        k: v for k, v in tree(fresh.path).items() if k not in edited
    }


def test_another_update_in_the_midst_of_a_merge_names_the_way_out(deployment, bundle):
    branch(deployment, "a", bundle, {"gpus": 2})
    branch(deployment, "b", bundle, {"model": OTHER})
    merge(deployment, "a")
    with pytest.raises(RenderError, match="update --resolve"):
        update(deployment, {"gpus": 4}, packaged=bundle)


def test_an_uncommitted_edit_of_serve_yaml_names_adopt(deployment, bundle):
    (deployment / "serve.yaml").write_text((deployment / "serve.yaml").read_text() + "# mine\n")
    with pytest.raises(RenderError, match="vllm-wizard adopt"):
        update(deployment, {"gpus": 4}, packaged=bundle)


def test_a_merge_that_somebody_committed_is_resolved_too(deployment, bundle):
    branch(deployment, "models", bundle, {"model": OTHER}, lambda p: (p / "theirs.txt").write_text("theirs\n"))
    branch(deployment, "gpus", bundle, {"gpus": 2})
    merge(deployment, "models")
    git(deployment, "checkout", "--ours", "--", ".")
    (deployment / "theirs.txt").write_text("decided by hand\n")
    commit(deployment, "merge")
    report = resolve(deployment, packaged=bundle)
    assert report.plan_after.inputs["model"] == OTHER
    assert answers_of(deployment)["gpus"] == 2
    assert (deployment / "theirs.txt").read_text() == "decided by hand\n"


def test_overrides_of_both_branches_are_joined_key_by_key(deployment, bundle):
    branch(deployment, "a", bundle, {"overrides": {"max_num_seqs": 8}})
    branch(deployment, "b", bundle, {"overrides": {"enforce_eager": True}, "replan": 1})
    merge(deployment, "a")
    resolve(deployment, packaged=bundle)
    assert answers_of(deployment)["overrides"] == {"enforce_eager": True, "max_num_seqs": 8}


def test_one_input_changed_on_both_sides_is_for_a_person_to_decide(deployment, bundle):
    branch(deployment, "a", bundle, {"gpus": 2, "overrides": {"max_num_seqs": 8}})
    branch(deployment, "b", bundle, {"gpus": 4, "overrides": {"max_num_seqs": 9}})
    merge(deployment, "a")
    before = tree(deployment)
    with pytest.raises(RequestError, match="to 4 and to 2: decide with `update --resolve --gpus VALUE`"):
        resolve(deployment, packaged=bundle)
    with pytest.raises(RequestError, match=r"overrides\.max_num_seqs.*--set max_num_seqs=VALUE"):
        resolve(deployment, {"gpus": 2}, packaged=bundle)
    assert tree(deployment) == before
    resolve(deployment, {"gpus": 2, "overrides": {"max_num_seqs": 16}}, packaged=bundle)
    recorded = answers_of(deployment)
    assert (recorded["gpus"], recorded["overrides"]) == (2, {"max_num_seqs": 16})


def test_edits_of_one_line_on_both_sides_stay_a_conflict(deployment, bundle):
    branch(deployment, "a", bundle, {"model": OTHER}, lambda p: replace(p / "README.md", "By hand", "By a's hand"))
    branch(deployment, "b", bundle, {"gpus": 2}, lambda p: replace(p / "README.md", "By hand", "By b's hand"))
    merge(deployment, "a")
    with pytest.raises(ConflictError) as conflict:
        resolve(deployment, packaged=bundle)
    assert conflict.value.files == ("README.md",)
    readme = (deployment / "README.md").read_text()
    assert "By a's hand" in readme
    assert "By b's hand" in readme
    assert "UU README.md" in git(deployment, "status", "--porcelain")
    assert answers_of(deployment)["gpus"] == 2


def test_the_newer_template_of_the_two_branches_wins(deployment, bundle):
    branch(deployment, "upgraded", bundle, {}, upgrade=True)
    branch(deployment, "gpus", bundle, {"gpus": 2})
    merge(deployment, "upgraded")
    report = resolve(deployment, packaged=bundle)
    assert (report.template_before, report.template_after) == ("1.0.0", "1.1.0")
    assert (deployment / "SECURITY.md").is_file()
    commit(deployment, "merge")
    assert findings(deployment, bundle) == set()


def test_a_rebase_that_stopped_at_the_answers_is_resolved(deployment, bundle):
    branch(deployment, "models", bundle, {"model": OTHER})
    branch(deployment, "gpus", bundle, {"gpus": 2})
    assert "CONFLICT" in merge(deployment, "models", "rebase")
    resolve(deployment, packaged=bundle)
    recorded = answers_of(deployment)
    assert (recorded["model"], recorded["gpus"]) == (OTHER, 2)


def test_a_managed_file_that_was_resolved_by_hand_is_not_overwritten(deployment, bundle):
    branch(deployment, "models", bundle, {"model": OTHER})
    branch(deployment, "gpus", bundle, {"gpus": 2})
    merge(deployment, "models")
    append(deployment / "scripts/run.sh", "# mine\n")
    with pytest.raises(RenderError, match=r"scripts/run\.sh changed since the merge"):
        resolve(deployment, packaged=bundle)
    assert (deployment / "scripts/run.sh").read_text().endswith("# mine\n")


def test_without_a_merge_there_is_nothing_to_resolve(deployment, bundle):
    with pytest.raises(RequestError, match="nothing to resolve"):
        resolve(deployment, packaged=bundle)


# Adopting


@pytest.mark.parametrize("committed", [True, False])
def test_an_edit_of_serve_yaml_becomes_an_override(deployment, bundle, committed):
    serve = deployment / "serve.yaml"
    planned = yaml.safe_load(serve.read_text())
    replace(serve, f"max-num-seqs: {planned['max-num-seqs']}", "max-num-seqs: 17")
    append(serve, "\n# mine: see ticket 7\nno-enable-prefix-caching: true\n")
    if committed:
        commit(deployment)
    report = adopt(deployment, packaged=bundle)
    recorded = answers_of(deployment)
    assert recorded["overrides"] == {"max_num_seqs": 17, "enable_prefix_caching": False}
    assert recorded["plan"]["engine"]["max_num_seqs"] == 17
    assert recorded["plan"]["serve"] == yaml.safe_load(serve.read_text())
    assert report.path == deployment
    assert "# mine: see ticket 7" in serve.read_text()
    assert git(deployment, "worktree", "list").count("\n") == 1
    commit(deployment)
    assert "served_otherwise" not in findings(deployment, bundle)
    update(deployment, {"model": OTHER}, packaged=bundle)
    assert answers_of(deployment)["plan"]["engine"]["max_num_seqs"] == 17


def test_a_removed_line_leaves_the_argument_to_vllm(deployment, bundle):
    serve = deployment / "serve.yaml"
    lines = serve.read_text().splitlines(keepends=True)
    serve.write_text("".join(line for line in lines if not line.startswith("max-num-seqs:")))
    adopt(deployment, packaged=bundle)
    assert answers_of(deployment)["overrides"] == {"max_num_seqs": None}
    assert "max-num-seqs:" not in serve.read_text()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("swap-space: 4", "swap_space"),
        ("max-num-seqs: many", "max-num-seqs"),
        ("enforce-eager: false", "no-enforce-eager: true"),
        ("model: x/y", "update --model"),
        ("a: [", "not valid YAML"),
    ],
)
def test_an_edit_that_vllm_would_refuse_is_not_adopted(deployment, bundle, line, said):
    serve = deployment / "serve.yaml"
    lines = serve.read_text().splitlines(keepends=True)
    serve.write_text("".join(one for one in lines if one.split(":")[0] != line.split(":")[0]) + line + "\n")
    before = tree(deployment)
    with pytest.raises(RequestError, match=said):
        adopt(deployment, packaged=bundle)
    assert tree(deployment) == before


def test_nothing_to_adopt_and_a_dirty_tree_are_refused(deployment, bundle):
    with pytest.raises(RequestError, match="nothing to adopt"):
        adopt(deployment, packaged=bundle)
    append(deployment / "README.md", "x\n")
    with pytest.raises(RenderError, match=r"README\.md"):
        adopt(deployment, packaged=bundle)


# Undoing


def test_an_uncommitted_update_is_undone_and_later_edits_of_other_files_stay(deployment, bundle):
    before = tree(deployment)
    update(deployment, {"model": OTHER}, upgrade=True, packaged=bundle)
    (deployment / "mine.txt").write_text("mine\n")
    done = undo(deployment)
    assert done.commit is None
    assert {ANSWERS, "README.md", "SECURITY.md"} <= set(done.files)
    assert tree(deployment) == before | {"mine.txt": ("mine\n", False)}
    assert git(deployment, "status", "--porcelain") == "?? mine.txt\n"


def test_an_update_with_conflicts_is_undone(deployment, bundle):
    replace(deployment / "README.md", f"Serves {MODEL}", f"Proudly serves {MODEL}")
    commit(deployment)
    before = tree(deployment)
    with pytest.raises(ConflictError):
        update(deployment, {"model": OTHER}, packaged=bundle)
    undo(deployment)
    assert tree(deployment) == before
    assert git(deployment, "status", "--porcelain") == ""


def test_an_updated_file_that_was_edited_since_stops_the_undo(deployment, bundle):
    update(deployment, {"model": OTHER}, packaged=bundle)
    append(deployment / "README.md", "mine\n")
    before = tree(deployment)
    with pytest.raises(RenderError, match=r"README\.md changed since the update"):
        undo(deployment)
    assert tree(deployment) == before


def test_a_committed_update_is_reversed_in_the_tree(deployment, bundle):
    before = tree(deployment)
    update(deployment, {"model": OTHER}, upgrade=True, packaged=bundle)
    commit(deployment, "update")
    (deployment / "mine.txt").write_text("mine\n")
    commit(deployment, "later, elsewhere")
    done = undo(deployment)
    assert done.commit == git(deployment, "rev-parse", "HEAD^").strip()
    assert tree(deployment) == before | {"mine.txt": ("mine\n", False)}
    commit(deployment, "undone")
    assert findings(deployment, bundle) == set()


def test_a_later_commit_on_the_same_lines_stops_the_undo(deployment, bundle):
    update(deployment, {"model": OTHER}, packaged=bundle)
    commit(deployment, "update")
    replace(deployment / "README.md", OTHER, f"the {OTHER}")
    commit(deployment, "edit")
    before = tree(deployment)
    with pytest.raises(RenderError, match="later commits build on"):
        undo(deployment)
    assert tree(deployment) == before
    assert git(deployment, "status", "--porcelain") == ""


def test_where_the_deployment_began_there_is_nothing_to_undo(deployment, bundle):
    with pytest.raises(RequestError, match="no update to undo"):
        undo(deployment)
    (deployment / "mine.txt").write_text("mine\n")
    with pytest.raises(RenderError, match="commit or stash"):
        undo(deployment)


def test_an_update_below_the_root_is_undone_and_its_neighbours_stay(generated, bundle, tmp_path):
    root = tmp_path / "all of them"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch=main")
    for name in ("one", "two"):
        subprocess.run(["cp", "-r", str(generated.path), str(root / name)], check=True)
        subprocess.run(["rm", "-rf", str(root / name / ".git")], check=True)
    commit(root, "first")
    before = tree(root)
    update(root / "one", {"model": OTHER}, packaged=bundle)
    updated = update(root / "two", {"model": OTHER}, packaged=bundle)
    undo(root / "one")
    assert tree(root / "one") == {k.removeprefix("one/"): v for k, v in before.items() if k.startswith("one/")}
    assert set(git(root, "diff", "--name-only").split()) == {f"two/{name}" for name in updated.files.changed}
    commit(root, "update of two")
    undo(root / "two")
    assert tree(root) == before


# On the command line, with the released template of the package itself


def run(*words):
    done = subprocess.run([sys.executable, "-m", "generator", *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_one_deployment_that_cannot_be_read_stops_no_other(tmp_path, monkeypatch):
    """A job that checks a repository reports on every deployment, and an update that failed leaves no report behind."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    root = tmp_path / "repo"
    for name in ("one", "two"):
        generate(request_for(vllm="0.33.0"), root / name, commit=False)
    git(root, "init", "--quiet", "--initial-branch=main")
    commit(root)
    (root / "one" / ".copier-answers.yml").write_text("broken: [\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "generator", "check", str(root), "--all", "--offline", "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 6
    assert [row["path"] for row in json.loads(done.stdout)] == [str(root / "two")]
    assert str(root / "one") in done.stderr
    written = tmp_path / "report.md"
    status, said = run("update", str(root / "one"), "--gpus", "2", "--report", str(written))
    assert (status, written.exists()) == (6, False), said


def test_the_commands_of_a_team(tmp_path, monkeypatch):
    """Two deployments of one repository: updated together, one update undone, one edit adopted, both checked."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    root = tmp_path / "repo"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch=main")
    for name in ("one", "two"):
        generate(request_for(vllm="0.32.0"), root / "deployments" / name, commit=False)
    commit(root)
    status, said = run("update", str(root), "--all", "--vllm", "0.33", "--report", str(tmp_path / "report.md"))
    assert status == 0, said
    assert [line for line in said.splitlines() if line.startswith("/")] == [
        str(root / "deployments" / name) for name in ("one", "two")
    ]
    assert (tmp_path / "report.md").read_text().count("\n## ") + 1 == 2
    one, two = root / "deployments/one", root / "deployments/two"
    assert {answers_of(place)["vllm"] for place in (one, two)} == {"0.33.0"}
    status, said = run("update", str(two), "--undo")
    assert status == 0, said
    assert answers_of(two)["vllm"] == "0.32.0"
    commit(root)
    replace(one / "serve.yaml", "# End of the plan", "max-logprobs: 5\n\n# End of the plan")
    status, said = run("adopt", str(one), "--offline")
    assert status == 0, said
    assert "max_logprobs" in said
    assert answers_of(one)["overrides"] == {"max_logprobs": 5}
    commit(root)
    assert "newest 0.33.0" in run("check", str(root), "--all", "--offline", "--quick")[1]


def test_a_deployment_that_cannot_be_updated_stops_no_other(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    one, two = (generate(request_for(), tmp_path / name).path for name in ("one", "two"))
    (one / "README.md").unlink()
    status, said = run("update", str(tmp_path), "--all", "--offline", "--set", "seed=7")
    assert status == 6, said
    assert f"error: {one}: uncommitted changes in README.md" in said
    assert said.startswith(f"{two}\n")
    assert answers_of(two)["overrides"] == {"seed": 7}


def test_the_command_resolves_a_merge(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    place = generate(request_for(), tmp_path / "one").path
    for name, changes in (("a", {"gpus": 2}), ("b", {"workload": "batch"})):
        git(place, "switch", "--quiet", "--create", name, "main")
        update(place, changes)
        commit(place)
    merge(place, "a")
    assert run("check", str(place), "--offline")[0] == 8
    status, said = run("update", str(place), "--resolve")
    assert status == 0, said
    assert (answers_of(place)["gpus"], answers_of(place)["workload"]) == (2, "batch")
    assert run("update", str(place), "--resolve", "--upgrade")[0] == 2


def test_an_edited_file_that_a_newer_template_drops_is_told(deployment, bundle, tmp_path):
    """Copier alone deletes it without a word: it is a conflict that its owner decides."""
    dropped = {name: text for name, text in SMALL.items() if name != "scripts/run.sh"}
    packaged = tmp_path / "templates.bundle"
    packaged.write_bytes(bundle.read_bytes())
    templates.release("1.2.0", when="2026-03-03", checkout=write_checkout(tmp_path / "c", dropped), bundle=packaged)
    append(deployment / "scripts/run.sh", "# mine\n")
    commit(deployment)
    try:
        with pytest.raises(ConflictError) as conflict:
            preview(deployment, {}, upgrade=True, compare=True, packaged=packaged)
    finally:
        Path(store.STORE).expanduser().unlink()
    report = conflict.value.report
    assert (report.files.deleted, report.files.conflicts) == ((), ("scripts/run.sh",))
    assert report.kept == ()
    assert "scripts/run.sh" in update_markdown(report)
