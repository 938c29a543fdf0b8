"""`check --preflight FILE`: what vLLM's own start-up code said, and what mends a refusal."""

import json
import runpy
from pathlib import Path

import pytest

from generator.errors import RequestError, SourceError
from generator.models.request import Request
from generator.operations.generate import generate
from generator.operations.preflight import preflight

ROOT = Path(__file__).parents[2]
HEADS = "Total number of attention heads (32) must be divisible by tensor parallel size (3)."
"""VLLM 0.33 of Qwen3-8B at TP 3."""
TOO_LONG = (
    "To serve at least one request with the model's max seq len (40960), (5.62 GiB KV cache is needed, which is larger "
    "than the available KV cache memory (2.00 GiB). Based on the available memory, the estimated maximum model length "
    "is 14560. Try increasing `gpu_memory_utilization`"
)
STATES = "max_num_seqs (1024) exceeds available Mamba cache blocks (305). Each decode sequence requires one"


@pytest.fixture(scope="module")
def deployment(tmp_path_factory):
    """Qwen3-8B on two L4, with two values of the user's."""
    request = Request(
        model="Qwen/Qwen3-8B", source="embedded", gpu="L4", gpus=2, vllm="0.33",
        overrides={"max_model_len": 40960, "enforce_eager": True},
    )  # fmt: skip
    place = tmp_path_factory.mktemp("made") / "it"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        return generate(request, place, offline=True, commit=False).path


def written(place, **more):
    report = {"vllm": "0.33.0", "model": "Qwen/Qwen3-8B", "starts": True, "level": "done", "schema": 1} | more
    place.write_text(json.dumps(report))
    return place


def refused(place, level, text):
    error = {"type": "ValueError", "text": text, "where": "config/model.py:1", "causes": []}
    return written(place, starts=False, level=level, error=error)


def test_the_script_of_the_templates_is_the_judge_that_the_tests_ask():
    """One source for both: .github/scripts/write_preflight.py packs it."""
    pack = runpy.run_path(str(ROOT / ".github" / "scripts" / "write_preflight.py"))
    assert (ROOT / "templates" / "scripts" / "preflight.py").read_text(encoding="utf-8") == pack["packed"]()


def test_a_start_asks_for_nothing(deployment, tmp_path):
    found = preflight(deployment, written(tmp_path / "it.json"))
    assert (found.report.starts, found.repairs, found.report.differing) == (True, (), ())


def test_a_figure_that_leaves_the_plan_is_named(deployment, tmp_path):
    """Loading adds a few per cent at most; the context is no figure of memory."""
    figures = [
        {"figure": "weights_bytes", "vllm": 8190000000, "plan": 8232986624},
        {"figure": "bytes_per_block", "vllm": 2359296, "plan": 1179648},
        {"figure": "max_model_len", "vllm": 4096, "plan": 40960},
    ]
    found = preflight(deployment, written(tmp_path / "it.json", figures=figures))
    assert [one.figure for one in found.report.differing] == ["bytes_per_block"]


@pytest.mark.parametrize(
    ("level", "text", "flags"),
    [
        ("plan", TOO_LONG, ("--max-model-len", "14560")),
        ("graphs", STATES, ("--max-num-seqs", "305")),
        ("config", "max_model_len: enforce_eager is not allowed here", ("--unset", "enforce_eager")),
    ],
)
def test_a_refusal_is_answered_with_what_the_planner_proves(deployment, tmp_path, level, text, flags):
    found = preflight(deployment, refused(tmp_path / "it.json", level, text))
    assert flags in [one.flags for one in found.repairs]
    assert not found.planner


def test_what_would_not_be_planned_is_not_offered(deployment, tmp_path):
    """The planner refuses a context above the model's own."""
    text = (
        "User-specified max_model_len (1) is greater than the derived max_model_len (max_position_embeddings=99999999)"
    )
    found = preflight(deployment, refused(tmp_path / "it.json", "config", text))
    assert ("--max-model-len", "99999999") not in [one.flags for one in found.repairs]


@pytest.mark.parametrize(("text", "said"), [("[]", "no preflight report"), ("{", "no JSON"), (None, "cannot be read")])
def test_another_file_is_refused_in_one_line(deployment, tmp_path, text, said):
    file = tmp_path / "it.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SourceError, match=said) as error:
        preflight(deployment, file)
    assert "make preflight" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_directory_without_a_deployment_is_refused(tmp_path):
    with pytest.raises(RequestError):
        preflight(tmp_path, refused(tmp_path / "it.json", "config", HEADS))
