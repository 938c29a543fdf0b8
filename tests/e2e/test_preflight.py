"""The rendered preflight on the real CPU build: a start, and refusals that `check --preflight` answers."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from fixtures.programs import vllm_python
from typer.testing import CliRunner

from generator.cli.app import app
from generator.models.request import Request
from generator.operations.generate import generate

FIXTURES = Path(__file__).parents[1] / "fixtures"
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
LENGTH = 512

pytestmark = [pytest.mark.needs_tool, pytest.mark.slow]


@pytest.fixture(scope="module")
def python():
    """The interpreter of the environment that has vLLM."""
    return vllm_python()


@pytest.fixture(scope="module")
def deployment(python, tmp_path_factory):
    """A tiny random model, whose context is the user's own value; today's template stands in the released one."""
    model = tmp_path_factory.mktemp("models") / "tiny llama"
    subprocess.run([python, FIXTURES / "make_tiny_model.py", model], check=True, timeout=300)
    request = Request(
        model=str(model), gpu="L4", vllm="0.32", prompt_tokens=256, gen_tokens=64, concurrency=2,
        overrides={"max_model_len": LENGTH},
    )  # fmt: skip
    released = generate(request, tmp_path_factory.mktemp("made") / "it", commit=False).path
    today = generate(request, tmp_path_factory.mktemp("today") / "it", template="worktree", commit=False).path
    (released / "scripts" / "preflight.py").write_bytes((today / "scripts" / "preflight.py").read_bytes())
    return released


def asked(python, place, name, **changes):
    """Exit status and report file of the rendered script, after `changes` of serve.yaml."""
    serve = yaml.safe_load((place / "serve.yaml").read_text()) | {
        key.replace("_", "-"): value for key, value in changes.items()
    }
    own, file = place / f"{name}.yaml", place / f"{name}.json"
    own.write_text(yaml.safe_dump(serve))
    done = subprocess.run(
        [python, place / "scripts" / "preflight.py", "--serve", own, "--json", file],
        env=OFFLINE, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert file.is_file(), done.stderr[-2000:]
    return done.returncode, done.stdout, file


def answered(place, file):
    done = CliRunner().invoke(app, ["check", str(place), "--preflight", str(file)])
    return done.output


def test_a_plan_of_ours_starts_and_its_weights_are_the_plans(python, deployment):
    """The CPU has other blocks; the parameters are the same."""
    status, words, file = asked(python, deployment, "starts")
    report = json.loads(file.read_text())
    assert (status, report["starts"], report["vllm"].partition("+")[0]) == (0, True, "0.32.0"), words
    assert report["class"] == "LlamaForCausalLM"
    weights = next(one for one in report["figures"] if one["figure"] == "weights_bytes")
    assert weights["vllm"] > 0
    assert "starts" in answered(deployment, file)


@pytest.mark.parametrize(
    ("name", "changes", "level", "said"),
    [
        ("heads", {"tensor_parallel_size": 3}, "config", "divisible by tensor parallel size"),
        ("long", {"max_model_len": 10**7}, "config", "greater than the derived max_model_len"),
        ("unknown", {"swap_space": 4}, "parse", "swap-space"),
    ],
)
def test_a_refusal_is_vllms_and_is_answered(python, deployment, name, changes, level, said):  # noqa: PLR0917
    status, _, file = asked(python, deployment, name, **changes)
    report = json.loads(file.read_text())
    assert (status, report["level"]) == (8, level), report
    assert said in report["error"]["text"]
    shown = answered(deployment, file)
    assert "would not start" in shown or "refuses" in shown
    assert "vllm-wizard update --unset max_model_len" in shown
