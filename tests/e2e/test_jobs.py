"""The rendered jobs, read by the programs that know GitHub, GitLab and Renovate."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from fixtures.programs import passes, tool
from fixtures.rendered import ANSWERS, render

pytestmark = pytest.mark.needs_tool


@pytest.fixture(scope="module", params=["github", "gitlab"])
def jobs(request, tmp_path_factory):
    """The files of jobs that each choice of `ci` renders, and the repository."""
    repository = render(ANSWERS["single"] | {"ci": request.param}, tmp_path_factory.mktemp(request.param))
    workflows = sorted(map(str, (repository / ".github/workflows").glob("*.yaml")))
    return request.param, repository, workflows or [str(repository / ".gitlab-ci.yml")]


def test_the_schema_of_jobs_and_of_renovate_is_kept(jobs):
    choice, repository, paths = jobs
    schema = {"github": "vendor.github-workflows", "gitlab": "vendor.gitlab-ci"}[choice]
    passes(repository, tool("check-jsonschema"), "--builtin-schema", schema, *paths)
    passes(repository, tool("check-jsonschema"), "--builtin-schema", "vendor.renovate", "renovate.json")


def test_yamllint_finds_nothing_in_jobs(jobs):
    passes(jobs[1], tool("yamllint"), "--strict", ".")


def test_actionlint_and_zizmor_find_nothing(tmp_path):
    repository = render(ANSWERS["single"] | {"ci": "github"}, tmp_path)
    passes(repository, tool("zizmor"), "--offline", "--no-progress", ".github")
    paths = sorted(map(str, (repository / ".github/workflows").glob("*.yaml")))
    passes(repository, tool("actionlint"), *paths, PATH=f"{Path(tool('node')).parent}:{os.environ['PATH']}")


def test_shellcheck_finds_nothing_in_the_scripts_of_jobs(jobs, tmp_path):
    choice, repository, paths = jobs
    scripts = []
    for path in paths:
        document = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        for job in (document["jobs"] if choice == "github" else document).values():
            steps = job.get("steps", []) if isinstance(job, dict) else []
            scripts += [step["run"] for step in steps if "run" in step]
            if isinstance(job, dict) and "script" in job:
                scripts.append("\n".join([*job.get("before_script", []), *job["script"]]))
    assert len(scripts) >= 3
    for number, script in enumerate(scripts):
        (tmp_path / f"{number}.sh").write_text(f"#!/bin/bash\nset -eo pipefail\n{script}\n", encoding="utf-8")
    passes(repository, tool("shellcheck"), *map(str, sorted(tmp_path.glob("*.sh"))))
