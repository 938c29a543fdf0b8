"""Updates to another vLLM release, dry runs, and reports for a pull request, with real git and real Copier."""

from __future__ import annotations

import subprocess
import sys

import pytest
import yaml
from fixtures.deployments import GPU, MODEL, OTHER, commit, git, request_for, tree

from generator.errors import ConflictError, InfeasiblePlanError, RenderError, RequestError
from generator.operations.generate import generate
from generator.operations.preview import preview
from generator.operations.update import update
from generator.presenting.update_report import update_markdown

ANSWERS = ".copier-answers.yml"
OVERLAY = 'services:\n  vllm:\n    command: ["--enable-mamba-fine-grained-prefix-cache", "--port", "8000"]\n'


def answers_of(place):
    return yaml.safe_load((place / ANSWERS).read_text(encoding="utf-8"))


def older(bundle, place, vllm, **overrides):
    return generate(request_for(vllm=vllm, overrides=overrides), place, packaged=bundle).path


def test_another_vllm_release_takes_the_overrides_along(bundle, tmp_path):
    place = older(bundle, tmp_path / "new", "0.30.0", enable_mamba_fine_grained_prefix_cache=True, max_num_seqs=7)
    (place / ".gitignore").write_text("*.override.yaml\n")
    (place / "compose.override.yaml").write_text(OVERLAY)
    commit(place)
    report = update(place, {"vllm": "0.33"}, packaged=bundle)
    recorded = answers_of(place)
    assert recorded["vllm"] == "0.33.0"
    assert recorded["overrides"] == {"enable_mamba_shared_prefix_checkpoint": True, "max_num_seqs": 7}
    assert "enable-mamba-shared-prefix-checkpoint: true" in (place / "serve.yaml").read_text()
    assert "renamed" in {note.kind for note in report.migrated}
    assert [(one.file, one.line) for one in report.mentions] == [("compose.override.yaml", 3)]
    assert (place / "compose.override.yaml").read_text() == OVERLAY
    subprocess.run(["git", "apply", "-"], cwd=place, input=report.patch, text=True, check=True)
    assert "--enable-mamba-shared-prefix-checkpoint" in (place / "compose.override.yaml").read_text()
    text = update_markdown(report)
    assert "| `enable_mamba_fine_grained_prefix_cache` → `enable_mamba_shared_prefix_checkpoint` | `true` |" in text
    assert "`compose.override.yaml:3`" in text
    assert "vllm/vllm\\-openai" in text or "vllm/vllm-openai:v0.33.0" in text


def test_what_the_new_release_lacks_stops_the_update_before_it_begins(bundle, tmp_path):
    place = older(bundle, tmp_path / "new", "0.33.0", sleep_mode_backend="cumem")
    before = tree(place)
    with pytest.raises(RequestError, match=r"vLLM 0\.33\.0 has it"):
        update(place, {"vllm": "0.32.0"}, packaged=bundle)
    assert tree(place) == before
    update(place, {"vllm": "0.32.0", "overrides": {}}, packaged=bundle)
    assert answers_of(place)["overrides"] == {}


def test_a_changed_default_is_accepted_or_pinned(bundle, tmp_path):
    place = older(bundle, tmp_path / "new", "0.32.0")
    noted = preview(place, {"vllm": "0.33.0"}, packaged=bundle)
    assert {note.flag for note in noted.migrated} == {"mamba_cache_mode", "tool_strict_level"}
    assert 'keep the old one with --set tool\\_strict\\_level="auto"' in update_markdown(noted)
    unset = tuple(note.model_copy(update={"before": None}) for note in noted.migrated)
    assert "keep the old one" not in update_markdown(noted.model_copy(update={"migrated": unset}))
    update(place, {"vllm": "0.33.0"}, keep_defaults=True, packaged=bundle)
    assert answers_of(place)["overrides"] == {"mamba_cache_mode": "none", "tool_strict_level": "auto"}


def test_overrides_stated_with_the_release_are_the_new_releases_words(bundle, tmp_path):
    place = older(bundle, tmp_path / "new", "0.30.0", enable_mamba_fine_grained_prefix_cache=True)
    stated = {"enable_mamba_fine_grained_prefix_cache": True, "monokernel": True}
    update(place, {"vllm": "0.33.0", "overrides": stated}, packaged=bundle)
    assert answers_of(place)["overrides"] == {"enable_mamba_shared_prefix_checkpoint": True, "monokernel": True}


def test_a_dry_run_reports_what_the_update_then_does(deployment, bundle):
    readme = deployment / "README.md"
    readme.write_text(readme.read_text() + "mine\n")
    commit(deployment)
    before, refs = tree(deployment), git(deployment, "for-each-ref")
    dry = preview(deployment, {"model": OTHER}, upgrade=True, compare=True, packaged=bundle)
    assert tree(deployment) == before
    assert git(deployment, "status", "--porcelain", "--ignored") == ""
    assert git(deployment, "for-each-ref") == refs
    assert dry.dry_run
    assert dry.kept == ("README.md",)
    done = update(deployment, {"model": OTHER}, upgrade=True, compare=True, packaged=bundle)
    assert dry.model_copy(update={"dry_run": False}) == done


def test_a_dry_run_refuses_and_conflicts_as_the_update_would(deployment, bundle):
    readme = deployment / "README.md"
    readme.write_text(readme.read_text().replace(f"Serves {MODEL}", f"Proudly serves {MODEL}"))
    with pytest.raises(RenderError, match="uncommitted"):
        preview(deployment, {"model": OTHER}, packaged=bundle)
    commit(deployment)
    before = tree(deployment)
    with pytest.raises(ConflictError) as conflict:
        preview(deployment, {"model": OTHER}, compare=True, packaged=bundle)
    report = conflict.value.report
    assert (report.path, report.files.conflicts, report.kept) == (deployment, ("README.md",), ())
    with pytest.raises(InfeasiblePlanError):
        preview(deployment, {"gpu": "T4-16GB", "model": "meta-llama/Llama-3.1-70B-Instruct"}, packaged=bundle)
    assert tree(deployment) == before
    assert "**Conflicts in `README.md`" in update_markdown(report)


def test_a_dry_run_works_below_the_root_in_a_shallow_clone_and_a_linked_worktree(generated, bundle, tmp_path):
    root = tmp_path / "all of them"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch=main")
    subprocess.run(["cp", "-r", str(generated.path), str(root / "one")], check=True)
    subprocess.run(["rm", "-rf", str(root / "one/.git")], check=True)
    commit(root, "first")
    commit(root, "second")
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{root}", "shallow")
    git(root, "worktree", "add", "--quiet", str(tmp_path / "linked"))
    for place in (root / "one", tmp_path / "shallow/one", tmp_path / "linked/one"):
        assert preview(place, {"model": OTHER}, packaged=bundle).files.changed
        assert git(place, "status", "--porcelain") == ""


def test_a_report_says_what_a_reviewer_wants_to_know(deployment, bundle):
    text = update_markdown(update(deployment, {"gpu": "H100-SXM-80GB"}, upgrade=True, packaged=bundle))
    assert f"| `gpu` | `{GPU}` | `H100-SXM-80GB` |" in text
    assert "Template 1.0.0 → 1.1.0." in text
    assert "### Memory of one GPU" in text
    assert "### What it means" in text
    assert "- Added: `SECURITY.md`" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in rows)
    commit(deployment)
    assert "Nothing changes." in update_markdown(update(deployment, {}, packaged=bundle))


def test_words_of_an_answer_cannot_write_markdown_of_their_own(deployment, bundle):
    hostile = "a|b`c``<img src=x>[l](http://e) "
    report = update(deployment, {"overrides": {"served_model_name": [hostile]}}, packaged=bundle)
    text = update_markdown(report)
    row = next(line for line in text.splitlines() if line.startswith("| `served_model_name`"))
    assert "a\\|b`c``<img" in row
    assert "``` " in row


def test_the_command_writes_the_report(tmp_path, monkeypatch):
    """With the released template of the package itself."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    place = generate(request_for(), tmp_path / "new").path
    words = ("update", str(place), "--gpus", "2", "--report", str(tmp_path / "report.md"), "--dry-run")
    status, out, err = run(*words)
    assert status == 0, err
    assert "nothing was changed" in out
    assert git(place, "status", "--porcelain") == ""
    assert "A dry run" in (tmp_path / "report.md").read_text()
    assert run("update", str(place), "--undo", "--gpus", "2")[0] == 2


def run(*words):
    done = subprocess.run([sys.executable, "-m", "generator", *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr
