"""Generate a deployment, change it, update it: the operations and plain Copier, with real git."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import sys
from hashlib import sha256
from json import dumps
from pathlib import Path

import pexpect
import pytest
import yaml
from fixtures.deployments import (
    GPU,
    MODEL,
    OTHER,
    SMALL,
    bare_copier,
    commit,
    git,
    request_for,
    tree,
    write_checkout,
)

from generator.catalogue.models import embedded_ids, embedded_model
from generator.errors import (
    ConflictError,
    InfeasiblePlanError,
    RenderError,
    RequestError,
    SourceError,
    UnknownFactError,
)
from generator.operations import templates
from generator.operations.generate import generate
from generator.operations.update import update
from generator.rendering import store

ANSWERS = ".copier-answers.yml"
_DRAWN = r"\x1b\[\?7h\x1b\[0m"
"""What a prompt prints last; keys that come before it may be lost."""


def answers_of(place):
    return yaml.safe_load((place / ANSWERS).read_text(encoding="utf-8"))


def edit_answers(place, change):
    """Rewrite the answers file by hand and commit."""
    content = answers_of(place)
    change(content)
    (place / ANSWERS).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    commit(place)


def append(path, text):
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


# Generating


def test_a_deployment_is_one_clean_commit(generated):
    assert git(generated.path, "status", "--porcelain") == ""
    assert git(generated.path, "rev-parse", "HEAD").strip() == generated.commit
    assert git(generated.path, "rev-list", "--count", "HEAD").strip() == "1"
    assert set(generated.files) == set(git(generated.path, "ls-files").split())
    assert os.access(generated.path / "scripts/run.sh", os.X_OK)


def test_what_is_recorded_means_the_same_on_every_machine(generated):
    recorded = answers_of(generated.path)
    assert recorded["_src_path"] == store.STORE
    assert recorded["_commit"] == "1.0.0"
    assert (recorded["gpu"], recorded["vllm"], recorded["service"]) == (GPU, "0.33.0", "qwen3-8b")
    assert recorded["plan"]["engine"] == generated.plan.engine


def test_the_newest_release_and_an_empty_directory_are_the_default(bundle, tmp_path):
    place = tmp_path / "here"
    place.mkdir()
    made = generate(request_for(vllm=""), place, packaged=bundle, commit=False, service="chat", artefacts=["command"])
    assert (made.template, made.commit) == ("1.1.0", None)
    assert "SECURITY.md" in made.files
    assert "compose.yaml" not in made.files
    assert answers_of(place)["vllm"]
    assert sorted(path.name for path in place.iterdir()) == sorted({name.split("/")[0] for name in made.files})


@pytest.mark.parametrize("ignored", [False, True], ids=["tracked", "ignored"])
def test_a_deployment_inside_a_repository_becomes_a_part_of_it(bundle, tmp_path, ignored):
    """Git keeps no file of a repository inside another: clones of the outer one would lack the deployment."""
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "--quiet", "--initial-branch=main")
    (outer / ".gitignore").write_text("/deployments/\n" if ignored else "")
    made = generate(request_for(), outer / "deployments" / "one", packaged=bundle, artefacts=["command"])
    assert (made.within, made.commit is None) == ((None, False) if ignored else (outer, True))
    assert (made.path / ".git").exists() is ignored
    commit(outer)
    kept = git(outer, "ls-files", "deployments").splitlines()
    assert kept == ([] if ignored else sorted(f"deployments/one/{name}" for name in made.files))


@pytest.mark.parametrize("content", ["directory", "file"])
def test_a_taken_destination_is_refused(bundle, tmp_path, content):
    place = tmp_path / "taken"
    if content == "directory":
        place.mkdir()
        (place / "mine").touch()
    else:
        place.touch()
    said = (
        "is not empty: name a new directory, like .*/taken/deployment$" if content == "directory" else "is a file: name"
    )
    with pytest.raises(RequestError, match=said):
        generate(request_for(), place, packaged=bundle)


def test_a_destination_beneath_a_file_is_refused(bundle, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RequestError, match=r"lies beneath .*file, which is a file: name another directory"):
        generate(request_for(), tmp_path / "file" / "a" / "b", packaged=bundle)


@pytest.mark.parametrize(
    ("changes", "options", "error"),
    [
        ({"gpu": "H1000"}, {}, UnknownFactError),
        ({"gpu": "T4-16GB", "model": "meta-llama/Llama-3.1-70B-Instruct"}, {}, InfeasiblePlanError),
        ({}, {"service": "vllm"}, RequestError),
        ({}, {"service": "Not A Slug"}, RequestError),
        ({}, {"artefacts": ["helm"]}, RequestError),
        ({}, {"template": "9.9.9"}, RequestError),
        ({"source": "hub"}, {}, SourceError),
    ],
)
def test_a_refusal_leaves_nothing_behind(bundle, tmp_path, changes, options, error):
    with pytest.raises(error) as refused:
        generate(request_for(**changes), tmp_path / "a" / "b", packaged=bundle, **options)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # git may outlive the interrupt
def test_an_interrupt_leaves_nothing_behind(bundle, tmp_path, monkeypatch):
    """Ctrl-C reaches this process while git commits."""
    programs = tmp_path / "bin"
    programs.mkdir()
    stub = programs / "git"
    stub.write_text(
        f'#!/bin/sh\ncase "$*" in *"commit --quiet --no-verify"*) kill -INT $PPID; exit 1;; esac\n'
        f'exec {shutil.which("git")} "$@"\n'
    )
    stub.chmod(stub.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    parent = tmp_path / "parent"
    parent.mkdir()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            generate(request_for(), parent / "new", packaged=bundle)
    finally:
        signal.signal(signal.SIGINT, before)
    assert list(parent.iterdir()) == []


def test_a_checkout_renders_its_own_template(checkout, tmp_path):
    made = generate(request_for(), tmp_path / "new", template="worktree", checkout=checkout)
    assert answers_of(made.path)["_src_path"] == "~/.local/share/vllm-wizard/worktree"
    with pytest.raises(RenderError, match="working tree"):
        update(made.path)
    with pytest.raises(RequestError, match="development checkout"):
        generate(request_for(), tmp_path / "other", template="worktree", checkout=tmp_path)


def test_plain_copier_copies_the_same_tree(generated, tmp_path):
    data = [f"-d{name}={value}" for name, value in request_for().model_dump(include={"model", "source", "gpu"}).items()]
    bare_copier("copy", "--trust", "--defaults", "-r", "1.0.0", *data, store.STORE, str(tmp_path / "bare"))
    assert tree(tmp_path / "bare") == tree(generated.path)


def test_plain_copier_without_trust_is_refused(tmp_path):
    done = bare_copier("copy", "--defaults", f"-dmodel={MODEL}", store.STORE, str(tmp_path / "bare"), ok=False)
    assert "unsafe" in done.stderr
    assert not (tmp_path / "bare").exists()


# Updating


def test_a_new_model_plans_everything_again(deployment, bundle, tmp_path):
    """The updated tree equals a fresh copy, whoever updates: this package or plain Copier."""
    bare = Path(shutil.copytree(deployment, tmp_path / "bare", symlinks=True))
    report = update(deployment, {"model": OTHER, "service": "llama"}, packaged=bundle)
    fresh = generate(request_for(model=OTHER), tmp_path / "fresh", template="1.0.0", service="llama", packaged=bundle)
    bare_copier("update", "--trust", "--defaults", "-r", ":current:", f"-dmodel={OTHER}", "-dservice=llama", at=bare)
    assert tree(deployment) == tree(fresh.path) == tree(bare)
    assert {change.name for change in report.answers} == {"model", "service"}
    assert (report.template_before, report.template_after) == ("1.0.0", "1.0.0")
    assert report.plan_after.engine == fresh.plan.engine
    assert {ANSWERS, "README.md"} <= set(report.files.changed)
    commit(deployment)
    assert not update(deployment, {"model": OTHER}, packaged=bundle).files.any


def test_three_kinds_of_edits_survive(deployment, bundle):
    append(deployment / "README.md", "my own line\n")
    (deployment / "mine.txt").write_text("mine\n")
    (deployment / "scripts/run.sh").unlink()
    (deployment / "values.local.yaml").write_text("mine: 7\n")
    commit(deployment)
    report = update(deployment, {"model": OTHER}, packaged=bundle, upgrade=True)
    assert (deployment / "README.md").read_text().endswith("notes:\nmy own line\n")
    assert OTHER in (deployment / "README.md").read_text()
    assert (deployment / "mine.txt").read_text() == "mine\n"
    assert (deployment / "values.local.yaml").read_text() == "mine: 7\n"
    assert not (deployment / "scripts/run.sh").exists()
    assert report.files.added == ("SECURITY.md",)
    assert report.files.deleted == ()


def test_an_edit_of_a_line_that_the_plan_changes_is_a_conflict(deployment, bundle):
    readme = deployment / "README.md"
    readme.write_text(readme.read_text().replace(f"Serves {MODEL}", f"Proudly serves {MODEL}"))
    commit(deployment)
    with pytest.raises(ConflictError, match=r"README\.md") as conflict:
        update(deployment, {"model": OTHER}, packaged=bundle)
    assert conflict.value.files == ("README.md",)
    assert conflict.value.report.plan_after.inputs["model"] == OTHER
    assert "UU README.md" in git(deployment, "status", "--porcelain")
    with pytest.raises(RenderError, match="unresolved conflicts"):
        update(deployment, {}, packaged=bundle)
    commit(deployment)
    with pytest.raises(RenderError, match="conflict markers are committed"):
        update(deployment, {}, packaged=bundle)


def test_an_older_planners_plan_stays_until_an_input_changes(deployment, bundle):
    """An old plan is rendered again as it was given; new inputs replace all of it, without a conflict."""

    def older(content):
        plan = content["plan"]
        plan |= {"planner": "0.1.0", "summary": "An older planner's words."}
        body = {name: value for name, value in plan.items() if name != "digest"}
        plan["digest"] = sha256(dumps(body, sort_keys=True).encode()).hexdigest()

    summary = answers_of(deployment)["plan"]["summary"]
    readme = deployment / "README.md"
    readme.write_text(readme.read_text().replace(summary, "An older planner's words."))
    edit_answers(deployment, older)
    report = update(deployment, {}, packaged=bundle)
    assert report.files.changed in ((), (ANSWERS,))  # the edit above wrote the file in another style
    assert "An older planner's words." in readme.read_text()
    commit(deployment)
    update(deployment, {"gpus": 2}, packaged=bundle)
    assert "An older planner's words." not in readme.read_text()


def test_a_template_upgrade_needs_no_hub(bundle, tmp_path):
    """Facts are recorded: with the Hub down the template and the GPU change, and only a new model fails."""
    facts = embedded_model(MODEL)
    made = generate(request_for(source="hub"), tmp_path / "new", template="1.0.0", facts=facts, packaged=bundle)
    report = update(made.path, {"gpu": "H100-SXM-80GB"}, upgrade=True, packaged=bundle)
    assert (report.template_before, report.template_after) == ("1.0.0", "1.1.0")
    fresh = generate(request_for(source="hub", gpu="H100-SXM-80GB"), tmp_path / "fresh", facts=facts, packaged=bundle)
    assert tree(made.path) == tree(fresh.path)
    commit(made.path)
    with pytest.raises(SourceError):
        update(made.path, {"model": OTHER}, packaged=bundle)
    assert git(made.path, "status", "--porcelain") == ""


def test_overrides_survive(deployment, bundle):
    update(deployment, {"overrides": {"max_num_seqs": 7}}, packaged=bundle)
    commit(deployment)
    report = update(deployment, {"model": OTHER}, packaged=bundle)
    assert report.plan_after.engine["max_num_seqs"] == 7
    assert "max_num_seqs" not in {change.name for change in report.engine}


def test_replan_asks_for_facts_and_plan_again(deployment, bundle):
    report = update(deployment, {"replan": 1}, packaged=bundle)
    recorded = answers_of(deployment)
    assert recorded["model_facts"]["asked"]["replan"] == recorded["plan"]["inputs"]["replan"] == 1
    assert report.engine == ()


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"gpu": "H1000"}, UnknownFactError, "H1000"),
        (
            {"model": "meta-llama/Llama-3.1-70B-Instruct", "gpu": "T4-16GB"},
            InfeasiblePlanError,
            "short on each; try",
        ),
        ({"modle": OTHER}, RequestError, "model"),
        ({"gpus": 0}, RequestError, "gpus"),
        ({"service": "vllm"}, RequestError, "VLLM_PORT"),
        ({"source": "hub"}, SourceError, "cannot be reached"),
    ],
)
def test_a_refused_update_touches_nothing(deployment, bundle, changes, error, said):
    before = tree(deployment)
    with pytest.raises(error, match=said) as refused:
        update(deployment, changes, packaged=bundle)
    assert "\n" not in str(refused.value)
    assert tree(deployment) == before
    assert git(deployment, "status", "--porcelain", "--ignored") == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content.update(gpus=4), "other answers"),
        (lambda content: content["plan"]["engine"].update(max_num_seqs=9), "edited by hand"),
        (lambda content: content["model_facts"].update(license="mine"), "other answers"),
        (lambda content: content.update(model=OTHER), "recorded facts"),
    ],
    ids=["input", "engine value", "facts", "model"],
)
def test_answers_edited_by_hand_are_refused(deployment, bundle, change, said):
    edit_answers(deployment, change)
    with pytest.raises(RenderError, match=said) as refused:
        update(deployment, {}, packaged=bundle)
    assert git(deployment, "status", "--porcelain") == ""
    way_out = re.search(r"`git checkout (\w+) -- \.copier-answers\.yml`, commit", str(refused.value))
    git(deployment, "checkout", way_out[1], "--", ANSWERS)
    commit(deployment)
    assert update(deployment, {}, packaged=bundle).answers == ()


def test_an_answer_of_another_kind_was_edited_by_hand(deployment, bundle):
    """The plan's own refusal would name a flag that nobody gave."""
    edit_answers(deployment, lambda content: content.update(gpus="banana"))
    with pytest.raises(RenderError, match=r"gpus: .*valid integer.*edited by hand \(gpus\): `git checkout \w+ -- "):
        update(deployment, {}, packaged=bundle)


@pytest.mark.parametrize(
    ("spoil", "error", "said"),
    [
        (lambda place: append(place / "README.md", "x"), RenderError, r"uncommitted changes in README\.md"),
        (lambda place: (place / "new.txt").touch(), RenderError, r"uncommitted changes in new\.txt"),
        (lambda place: shutil.rmtree(place / ".git"), RenderError, "no git repository"),
        (lambda place: (place / ANSWERS).unlink(), RequestError, "`vllm-wizard generate`"),
        (lambda place: (place / ANSWERS).write_text("<<<<<<< a: b: c"), RenderError, "git checkout"),
        (lambda place: (place / ANSWERS).write_text("- 1\n"), RenderError, "names no template"),
    ],
    ids=["edited", "new file", "no git", "no answers", "no YAML", "no mapping"],
)
def test_a_repository_that_is_not_ready_is_refused(deployment, bundle, spoil, error, said):
    spoil(deployment)
    before = tree(deployment)
    with pytest.raises(error, match=said):
        update(deployment, {"model": OTHER}, packaged=bundle)
    assert tree(deployment) == before


def test_a_place_without_a_deployment_is_refused(bundle, tmp_path):
    with pytest.raises(RequestError, match="generate"):
        update(tmp_path / "nowhere", {}, packaged=bundle)


def test_the_callers_git_does_not_take_part(deployment, bundle, tmp_path, monkeypatch):
    """Exported variables, failing hooks, hidden untracked files: bare Copier stops or loses edits."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "pre-commit"):
        (hooks / name).write_text("#!/bin/sh\nexit 1\n")
        (hooks / name).chmod(0o755)
    readme = deployment / "README.md"
    readme.write_text(readme.read_text().replace(f"Serves {MODEL}", f"Proudly serves {MODEL}"))
    commit(deployment)
    git(deployment, "config", "core.hooksPath", str(hooks))
    git(deployment, "config", "status.showUntrackedFiles", "no")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    with pytest.raises(ConflictError):
        update(deployment, {"model": OTHER}, packaged=bundle)
    assert "Proudly serves" in readme.read_text()
    assert os.environ["GIT_DIR"] == str(tmp_path / "elsewhere")


def test_a_choice_that_a_template_drops_is_reported(deployment, bundle, tmp_path):
    """Copier itself would replace the recorded answer without a word."""
    narrower = write_checkout(tmp_path / "checkout", SMALL | {"NEW.md": "new\n"})
    config = narrower / "copier.yml"
    config.write_text(
        config.read_text().replace("choices: [chat, rag,", "choices: [rag,").replace("default: chat", "default: rag")
    )
    packaged = tmp_path / "templates.bundle"
    shutil.copy(bundle, packaged)
    templates.release("1.2.0", when="2026-03-03", checkout=narrower, bundle=packaged)
    before = tree(deployment)
    try:
        with pytest.raises(RenderError, match="workload"):
            update(deployment, {}, upgrade=True, packaged=packaged)
    finally:
        Path(store.STORE).expanduser().unlink()
    assert tree(deployment) == before
    assert git(deployment, "status", "--porcelain") == ""


def test_a_template_that_would_run_code_is_refused(deployment, bundle, tmp_path):
    hostile = write_checkout(tmp_path / "hostile", SMALL)
    append(hostile / "copier.yml", "\n_tasks: ['touch /tmp/owned']\n")
    git(hostile, "init", "--quiet", "--initial-branch=main")
    commit(hostile)
    git(hostile, "tag", "1.0.0")
    edit_answers(deployment, lambda content: content.update(_src_path=str(hostile)))
    with pytest.raises(RenderError, match="was moved"):
        update(deployment, {"model": OTHER}, packaged=bundle)
    edit_answers(deployment, lambda content: content.pop("_template_commit"))
    with pytest.raises(RenderError, match="_tasks"):
        update(deployment, {}, packaged=bundle)


def test_a_teammates_machine_has_the_store_after_one_update(deployment, bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "teammate"))
    assert not update(deployment, {}, packaged=bundle).files.any
    assert Path(store.STORE).expanduser().is_file()


def test_a_deployment_below_the_root_of_a_repository(generated, bundle, tmp_path):
    """Changes elsewhere in the repository neither stop an update nor are touched by a failing one."""
    root = tmp_path / "all of them"
    place = Path(shutil.copytree(generated.path, root / "llm" / "one", ignore=shutil.ignore_patterns(".git")))
    git(root, "init", "--quiet")
    (root / "other.txt").write_text("a\n")
    commit(root)
    (root / "other.txt").write_text("b\n")
    with pytest.raises(UnknownFactError):
        update(place, {"gpu": "H1000"}, packaged=bundle)
    report = update(place, {"model": OTHER}, packaged=bundle)
    assert {ANSWERS, "README.md"} <= set(report.files.changed)
    assert (root / "other.txt").read_text() == "b\n"


@pytest.mark.parametrize("name", ["PlannerV1", "question"])
def test_a_template_newer_than_this_package_says_so(bundle, tmp_path, name):
    newer = write_checkout(tmp_path / "checkout", SMALL)
    config = newer / "copier.yml"
    change = ("PlannerV1", "PlannerV99") if name == "PlannerV1" else ("'measured': measured", "'unheard': measured")
    config.write_text(config.read_text().replace(*change))
    with pytest.raises((RenderError, RequestError), match="newer vllm-wizard"):
        generate(request_for(), tmp_path / "new", template="worktree", checkout=newer)
    assert not (tmp_path / "new").exists()


def test_plain_copier_says_in_one_line_what_the_planner_refuses(bundle, tmp_path):
    """No GPU here and none named, an unknown one, and a model that does not fit."""
    store.ensure(bundle)
    words = ("copy", "--trust", "--defaults", "-r", "1.0.0", "-dsource=embedded")
    large = "-dmodel=meta-llama/Llama-3.1-70B-Instruct"
    for data in ([f"-dmodel={MODEL}"], [f"-dmodel={MODEL}", "-dgpu=H1000"], [large, "-dgpu=T4-16GB"]):
        done = bare_copier(*words, *data, store.STORE, str(tmp_path / "bare"), ok=False)
        assert done.returncode == 1
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert not (tmp_path / "bare").exists()


def test_plain_copier_asks_a_person_seven_questions(bundle, tmp_path):
    """On a terminal; facts, plan and expert questions are not asked, and the GPU has no default here."""
    store.ensure(bundle)
    words = ["-m", "copier", "copy", "--trust", "-r", "1.0.0", store.STORE, str(tmp_path / "asked")]
    terminal = pexpect.spawn(sys.executable, words, timeout=60, encoding="utf-8", dimensions=(50, 200))
    answers = (
        ("Model: id of the Hub", MODEL), ("GPU: name of the product", GPU), ("GPUs of one node", ""),
        ("Workload preset", ""), ("Requests in flight", ""), ("Name of the service", ""),
        ("What to render", ""),
    )  # fmt: skip
    for question, answer in answers:
        terminal.expect_exact(question)
        terminal.expect(_DRAWN)
        terminal.send(f"{answer}\r")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
    recorded = answers_of(tmp_path / "asked")
    assert (recorded["model"], recorded["gpu"], recorded["service"]) == (MODEL, GPU, "qwen3-8b")
    assert recorded["artefacts"] == ["command", "profile", "compose"]


def test_a_team_remote_serves_the_same_history(deployment, bundle, checkout, tmp_path):
    """Pinned to a team's remote, a deployment moves to the team's own build on top of a release."""
    remote, work = tmp_path / "team.git", tmp_path / "work"
    git(tmp_path, "clone", "--quiet", "--bare", str(bundle), str(remote))
    git(tmp_path, "clone", "--quiet", str(remote), str(work))
    append(work / "templates/README.md.jinja", "Ask the platform team.\n")
    commit(work)
    git(work, "tag", "1.1.0.post1")
    git(work, "push", "--quiet", "origin", "HEAD", "--tags")
    edit_answers(deployment, lambda content: content.update(_src_path=str(remote)))
    report = update(deployment, {"gpus": 2}, packaged=bundle, upgrade=True)
    assert (report.template_before, report.template_after) == ("1.0.0", "1.1.0.post1")
    assert (deployment / "README.md").read_text().endswith("Ask the platform team.\n")
    assert answers_of(deployment)["_src_path"] == str(remote)


def test_plain_copier_sees_newer_releases_and_trusts_the_store_by_settings(deployment, bundle, monkeypatch, tmp_path):
    store.ensure(bundle)
    assert bare_copier("check-update", "--quiet", at=deployment, ok=False).returncode == 2
    settings = tmp_path / "settings.yml"
    settings.write_text("trust: ['~/.local/share/vllm-wizard/']\n")
    monkeypatch.setenv("COPIER_SETTINGS_PATH", str(settings))
    bare_copier("update", "--defaults", "-r", "1.1.0", at=deployment)
    assert answers_of(deployment)["_commit"] == "1.1.0"
    bare_copier("check-update", "--quiet", at=deployment)


def test_the_largest_embedded_model_leaves_a_readable_answers_file(tmp_path):
    """With the real template: what is recorded of the model with the most kinds of layers, and its plan."""
    sizes = {
        name: len(embedded_model(name).architecture.model_dump_json(exclude_defaults=True)) for name in embedded_ids()
    }
    request = request_for(model=max(sizes, key=sizes.__getitem__), gpu="B200-180GB", gpus=8)
    made = generate(request, tmp_path / "new", template="worktree", commit=False)
    assert len((made.path / ANSWERS).read_text(encoding="utf-8").splitlines()) < 300
