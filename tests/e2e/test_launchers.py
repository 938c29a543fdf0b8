"""The check inside a rendered repository that all its launchers start one vLLM."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import get_args

import pytest
from fixtures.programs import run, tool
from fixtures.rendered import ANSWERS, render

from generator.models.request import ONE_NODE, Artefact

pytestmark = pytest.mark.needs_tool

GOLDEN = Path(__file__).parents[1] / "golden"
TREES = sorted(path.name for path in GOLDEN.iterdir() if (path / "serve.yaml").exists())


def checked(repository):
    """Status and words of the check, with helm where the tools are."""
    path = f"{Path(tool('helm')).parent}{os.pathsep}{os.environ['PATH']}"
    status, out, err = run(repository, sys.executable, "scripts/check-launchers.py", PATH=path)
    return status, out + err


@pytest.fixture(scope="module", params=ANSWERS)
def repository(request, tmp_path_factory):
    """Each recorded deployment with every artefact that can be rendered for it."""
    answers = ANSWERS[request.param]
    one = answers["plan"]["runtime"]["nodes"] == 1
    every = [name for name in get_args(Artefact) if one or name not in ONE_NODE]
    return render(answers | {"artefacts": every, "ci": "none", "prefix_hit_ratio": 0}, tmp_path_factory.mktemp("made"))


def test_every_launcher_of_a_deployment_starts_one_vllm(repository):
    """Compose, both scripts, the chart or its group of nodes, and the platforms: eight on one node, six on several."""
    status, said = checked(repository)
    assert status == 0, said
    nodes = 2 if (repository / "compose.multinode.yaml").exists() else 1
    assert said.startswith(f"launchers: {6 if nodes > 1 else 7} start vLLM with the arguments of serve.yaml")


@pytest.mark.parametrize("name", TREES)
def test_every_launcher_of_an_example_starts_one_vllm(name):
    status, said = checked(GOLDEN / name)
    assert status == 0, said


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("compose.yaml", "      - --host\n", "      - --seed=5\n      - --host\n", "vllm: --seed is ['5']"),
        ("scripts/serve.sh", "  --config serve.yaml \\\n", "  --config serve.yaml --seed 7 \\\n", "says nothing"),
        ("scripts/docker-run.sh", "  --port 8000 \\\n", "  --port 8000 --dtype half \\\n", "--dtype is ['half']"),
        ("deploy/chart/values.yaml", "extraArgs: []", "extraArgs: [--seed=3]", "Deployment: --seed is ['3']"),
        ("deploy/chart/values.yaml", "  max-num-seqs: ", "  max-num-seqs: 1", "--max-num-seqs is"),
        ("systemd/qwen3-8b.service", "scripts/serve.sh", "scripts/other.sh", "something else than scripts/serve.sh"),
        ("platform/kserve.yaml", "--max-model-len", "--max-num-seqs", "--max-model-len is left out"),
    ],
)  # fmt: skip
def test_a_launcher_that_starts_another_vllm_is_named(file, old, new, said, tmp_path):
    every = list(get_args(Artefact))
    place = render(ANSWERS["single"] | {"artefacts": every, "ci": "none", "prefix_hit_ratio": 0}, tmp_path)
    text = (place / file).read_text(encoding="utf-8")
    assert old in text
    (place / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    status, words = checked(place)
    assert status == 1
    assert said in words


def test_a_chart_that_helm_refuses_and_a_script_that_is_gone_are_no_traceback(tmp_path):
    place = render(ANSWERS["single"] | {"artefacts": ["command", "kubernetes"], "ci": "none"}, tmp_path)
    (place / "scripts/docker-run.sh").unlink()
    assert checked(place) == (0, "launchers: 2 start vLLM with the arguments of serve.yaml\n")
    values = place / "deploy/chart/values.yaml"
    values.write_text(values.read_text(encoding="utf-8").replace("replicas: 1", "replicas: one"), encoding="utf-8")
    status, said = checked(place)
    assert status == 1
    assert said.startswith("deploy/chart: ")
    assert "replicas" in said
    assert "Traceback" not in said


def test_without_helm_the_chart_is_said_to_be_left_out(tmp_path):
    place = render(ANSWERS["single"] | {"artefacts": ["command", "kubernetes"], "ci": "none"}, tmp_path)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "dirname", "sh"):
        (tools / name).symlink_to(shutil.which(name))
    status, out, _ = run(place, sys.executable, "scripts/check-launchers.py", PATH=str(tools))
    assert status == 0
    assert "helm is not installed" in out
    assert "launchers: 2 start" in out
