"""Profiles: the ancestor's format loads, and what is wrong is named by line and field."""

import pytest

from generator.errors import RequestError, SourceError
from generator.sources.profile import load_profile

ANCESTOR = """\
profile_version: 1
model:
  id: "meta-llama/Llama-2-7b-hf"
  revision: null
  dtype: "auto"
  quantization: "none"
  kv_cache_dtype: "auto"
  max_model_len: 4096
  params_b: null
hardware:
  gpu_name: "RTX 4090"
  gpus: 1
  vram_gb: null
  interconnect: "unknown"
  tp_size: null
workload:
  prompt_tokens: 512
  gen_tokens: 256
  concurrency: 4
  streaming: true
  mode: "balanced"
policy:
  gpu_memory_utilization: 0.90
  overhead_gb: null
  fragmentation_factor: 1.15
  headroom_gb: 1.0
outputs:
  emit: [command, k8s]
  vllm_args: {max-num-seqs: 64}
"""


def written(tmp_path, text):
    path = tmp_path / "profile.yaml"
    path.write_text(text)
    return path


def test_an_ancestors_profile_loads(tmp_path):
    """The sample profile of the ancestor (github.com/vashkelis/vllm-wizard) keeps its meaning."""
    profile = load_profile(written(tmp_path, ANCESTOR))

    assert profile.answers == {
        "model": "meta-llama/Llama-2-7b-hf",
        "gpu": "RTX 4090",
        "gpus": 1,
        "interconnect": "auto",
        "prompt_tokens": 512,
        "gen_tokens": 256,
        "concurrency": 4,
        "batching_mode": "balanced",
        "headroom_gb": 1.0,
        "artefacts": ["command", "kubernetes"],
        "overrides": {"max_model_len": 4096, "gpu_memory_utilization": 0.9, "max_num_seqs": 64},
    }


def test_a_superseded_key_warns_with_its_line(tmp_path):
    """What no longer has an effect is said, not swallowed."""
    warnings = load_profile(written(tmp_path, ANCESTOR)).warnings

    assert [warning.split(":")[0] for warning in warnings] == [
        "profile.yaml line 9",
        "profile.yaml line 20",
        "profile.yaml line 24",
        "profile.yaml line 25",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("model:\n  id: a\n  colour: red\n", "line 3: unknown key 'model.colour'", id="unknown key"),
        pytest.param("modle:\n  id: a\n", "line 1: unknown section 'modle'", id="unknown section"),
        pytest.param("model: [a, b]\n", "line 1: section model must be a mapping", id="section of a wrong shape"),
        pytest.param("model: {id: a\n", "not valid YAML", id="broken YAML"),
        pytest.param("just words\n", "expected the sections", id="no mapping"),
        pytest.param("outputs:\n  vllm_args: 3\n", "line 2: outputs.vllm_args must be a mapping", id="bad arguments"),
        pytest.param("model:\n  id: !!python/object:os.system x\n", "line 2", id="hostile tag"),
        pytest.param("hardware:\n  gpu: L4\n  gpus: many\n", "line 3: hardware.gpus: .*'many'", id="no number"),
        pytest.param("hardware: {gpus: 1.5}\n", "line 1: hardware.gpus: .*1.5", id="half a GPU"),
        pytest.param("workload:\n  mode: fast\n", "line 2: workload.mode: .*'fast'", id="no such choice"),
        pytest.param("policy:\n  headroom_gb: -1\n", "line 2: policy.headroom_gb: .*-1", id="out of range"),
        pytest.param("outputs:\n  emit: [helm]\n", "line 2: outputs.emit: .*'helm'", id="no such artefact"),
        pytest.param("outputs: {emit: compose}\n", "line 1: outputs.emit: .*'compose'", id="no list"),
        pytest.param("outputs: {ci: jenkins}\n", "line 1: outputs.ci: .*'jenkins'", id="no such CI"),
        pytest.param("model: {id: a}\nmodel: {id: b}\n", "line 2: model is stated twice", id="section twice"),
        pytest.param("model:\n  id: a\n  id: b\n", "line 3: id is stated twice", id="key twice"),
    ],
)
def test_a_broken_profile_names_line_and_field(tmp_path, text, said):
    with pytest.raises(RequestError, match=said):
        load_profile(written(tmp_path, text))


def test_a_missing_profile_is_a_source_error(tmp_path):
    with pytest.raises(SourceError, match="cannot read profile"):
        load_profile(tmp_path / "nowhere.yaml")


def test_resolved_facts_are_not_read_back(tmp_path):
    """The export's `resolved` section is for people; the answers are the truth."""
    profile = load_profile(written(tmp_path, "model: {id: a}\nresolved: {tensor_parallel_size: 8}\n"))

    assert profile.answers == {"model": "a"}
