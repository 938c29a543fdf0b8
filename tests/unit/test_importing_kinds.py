"""Further ways in which people start vLLM: each file becomes a request whose plan starts it with the same arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator import workflow
from generator.cli.options import request_from
from generator.errors import RequestError, SourceError
from generator.operations.importing import imported
from generator.sources.running.reader import read_running

HERE = Path(__file__).parents[1] / "fixtures" / "running" / "kinds"
TWO = {"tensor_parallel_size": 2, "max_model_len": 16384}
TAKEN = {
    "Makefile": (2, TWO),
    "Procfile": (1, {"max_model_len": 16384}),
    "compose-entry.yaml": (2, {
        "tensor_parallel_size": 2, "dtype": "bfloat16", "enable_auto_tool_choice": True, "tool_call_parser": "hermes",
    }),
    "compose-env.yaml": (2, TWO),
    "daemonset.yaml": (1, {"max_model_len": 16384}),
    "function.sh": (2, {"tensor_parallel_size": 2, "max_num_seqs": 64, "enable_prefix_caching": True}),
    "job.sbatch": (2, TWO),
    "json-args.sh": (2, TWO | {"served_model_name": ["qwen3"]}),
    "kserve-hf.yaml": (1, {"served_model_name": "qwen", "max_model_len": 16384}),
    "kserve-isvc.yaml": (1, {"max_model_len": 16384}),
    "kserve-llm.yaml": (2, TWO | {"served_model_name": "Qwen/Qwen3-8B", "enable_prefix_caching": True}),
    "list.json": (1, {"max_num_seqs": 64}),
    "llmd.yaml": (2, TWO | {"served_model_name": "Qwen/Qwen3-8B", "enable_prefix_caching": True}),
    "nested.yaml": (2, {
        "tensor_parallel_size": 2, "compilation_config": {"mode": 3}, "enable_prefix_caching": False,
        "speculative_config": {"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_max": 4},
    }),
    "pod-shell.yaml": (2, TWO),
    "podman.sh": (1, {"max_model_len": 8192}),
    "quadlet.container": (1, {"max_model_len": 16384, "gpu_memory_utilization": 0.85}),
    "ray-models.yaml": (2, TWO | {"served_model_name": "Qwen/Qwen3-8B"}),
    "rayservice.yaml": (2, TWO | {"served_model_name": "qwen3"}),
    "sky.yaml": (2, TWO),
    "stack-tools.yaml": (2, TWO | {
        "enable_auto_tool_choice": True, "tool_call_parser": "hermes", "max_num_seqs": 64,
    }),
    "supervisord.conf": (1, {"max_model_len": 16384}),
    "unit-env.service": (2, TWO),
}  # fmt: skip


@pytest.mark.parametrize("name", TAKEN)
def test_a_file_of_each_kind_is_read_and_planned_with_its_own_arguments(name):
    """Imported, planned, and recorded as serve.yaml: what the file said is what vLLM is started with."""
    gpus, overrides = TAKEN[name]
    found = imported(read_running(HERE / name))
    assert found.answers["model"] == "Qwen/Qwen3-8B"
    assert (found.answers["gpus"], found.answers["overrides"]) == (gpus, overrides)
    request = request_from({"gpu": "H100", "source": "embedded"} | found.answers)
    started = workflow.plan(request, offline=True).engine
    assert overrides.items() <= started.items()


def test_options_that_grow_are_whole_and_what_a_caller_adds_is_no_word(tmp_path):
    text = 'OPTS="--seed 3"\nOPTS+=" --max-num-seqs 8"\nvllm serve Qwen/Qwen3-8B $OPTS "$@"\n'
    (tmp_path / "run.sh").write_text(text, encoding="utf-8")
    answers = imported(read_running(tmp_path / "run.sh")).answers
    assert (answers["model"], answers["overrides"]) == ("Qwen/Qwen3-8B", {"seed": 3, "max_num_seqs": 8})


def test_what_a_platform_has_beside_is_named():
    notes = {one.what: one.why for one in imported(read_running(HERE / "llmd-prefill.yaml")).notes}
    assert "one role does both" in notes["prefill"]
    assert "httpRoute" in notes["router"]
    assert (
        "autoscaling"
        in {n.what: n.why for n in imported(read_running(HERE / "rayservice.yaml")).notes}["deployment_config"]
    )


def test_a_model_on_a_claim_is_a_path_beneath_it():
    assert imported(read_running(HERE / "llmd-prefill.yaml")).answers["model"] == "/model/qwen3-8b"


def test_a_model_that_the_file_leaves_open_is_asked_for_and_an_option_gives_it():
    running = read_running(HERE / "justfile")
    with pytest.raises(RequestError, match=r"leaves the model open \(\{\{model\}\}\): give it with --model"):
        imported(running)
    assert imported(running, "Qwen/Qwen3-8B").answers["model"] == "Qwen/Qwen3-8B"


LOOSE = """apiVersion: v1
kind: LLMInferenceService
spec:
  model: {uri: x, name: [1]}
  replicas: two
  template: {containers: [{args: 5, env: [1], resources: 7}]}
"""


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.yaml", "applications: [{args: {llm_configs: [{}, {}]}}]", "2 models"),
        ("a.yaml", "applications: []", "0 models"),
        ("a.yaml", "apiVersion: ray.io/v1\nkind: RayService\nspec: {serveConfigV2: '['}", "not valid YAML"),
        ("a.yaml", "run: echo hello", "no line starts a server"),
        ("a.yaml", "decode: {containers: 5}\nmodelArtifacts: {name: 7}", "names no model"),
        ("a.yaml", "apiVersion: v1\nkind: LLMInferenceService\nspec: []", "names no model"),
        ("a.yaml", "apiVersion: v1\nkind: InferenceService\nspec: {predictor: {model: 3}}", "no container"),
        ("a.conf", "[program:vllm]\ncommand=echo vllm\n", "no line starts a server"),
        ("a.container", "[Container]\nImage=x\n", "names no model"),
        ("a.container", '[Container]\nImage=vllm/vllm-openai\nExec=--model "open\n', "is no command line: no closing"),
        ("a.yaml", LOOSE, None),
        ("a.sh", "ARGS=(--a\nvllm serve ${ARGS[@]}", "leaves the model open"),
        ("a.yaml", "run: vllm serve x\nresources: {accelerators: [L4]}\nenvs: 3\nnum_nodes: many", None),
    ],
)
def test_a_file_out_of_shape_is_one_line_or_read(name, text, said, tmp_path):
    (tmp_path / name).write_text(text, encoding="utf-8")
    if said is None:
        assert imported(read_running(tmp_path / name)).answers["model"] == "x"
        return
    with pytest.raises((SourceError, RequestError), match=said) as error:
        imported(read_running(tmp_path / name))
    assert "\n" not in str(error.value)
