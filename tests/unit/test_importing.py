"""Deployments that exist, read as answers: what is taken, what stays beside, and what has no place."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.errors import SourceError
from generator.operations.importing import imported
from generator.sources.running.reader import read_running

HERE = Path(__file__).parents[1] / "fixtures" / "running"
QWEN = "Qwen/Qwen3-8B"
TAKEN = {
    "background.sh": (
        {"model": QWEN, "gpus": 2},
        {
            "tensor_parallel_size": 2, "max_model_len": 16384, "gpu_memory_utilization": 0.9,
            "enable_prefix_caching": True, "served_model_name": ["qwen", "qwen3"],
        },
    ),
    "module.sh": (
        {"model": QWEN, "gpus": 2},
        {
            "tensor_parallel_size": 2, "optimization_level": 2, "compilation_config": {"mode": 3},
            "speculative_config": {"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_max": 4},
            "uvicorn_log_level": "warning",
        },
    ),
    "docker.sh": (
        {"model": QWEN, "gpus": 1, "vllm": "0.32.0"},
        {"tensor_parallel_size": 1, "max_model_len": 8000, "enable_prefix_caching": False},
    ),
    "unit.service": ({"model": QWEN, "gpus": 1}, {"max_model_len": 32000, "kv_cache_dtype": "fp8"}),
    "serve.yaml": (
        {"model": QWEN, "gpus": 1},
        {"max_model_len": 8192, "tensor_parallel_size": 1, "enable_log_requests": False},
    ),
    "compose-webui.yaml": (
        {"model": QWEN, "gpus": 2, "vllm": "0.33.0", "service": "vllm-server"},
        {"tensor_parallel_size": 2, "max_model_len": 8192},
    ),
    "compose-lora.yaml": (
        {"model": "/srv/models/qwen3", "service": "api"},
        {
            "served_model_name": ["qwen"], "max_num_seqs": 64, "quantization": "fp8", "enable_lora": True,
            "lora_modules": ["sql=/srv/loras/sql"],
        },
    ),
    "deployment.yaml": (
        {"model": QWEN, "gpus": 1, "gpu": "L40S-48GB", "trust_remote_code": True},
        {"enable_chunked_prefill": True, "max_num_batched_tokens": 1024},
    ),
    "statefulset.yaml": (
        {"model": QWEN, "gpus": 2, "vllm": "0.33.0", "service": "gemma"},
        {"tensor_parallel_size": 2, "max_num_seqs": 128, "enable_prefix_caching": False},
    ),
    "group.yaml": (
        {"model": "deepseek-ai/DeepSeek-V3", "gpus": 8, "nodes": 2},
        {"tensor_parallel_size": 8, "pipeline_parallel_size": 2},
    ),
    "stack.yaml": (
        {"model": QWEN, "gpus": 1},
        {
            "enable_chunked_prefill": False, "enable_prefix_caching": False, "max_model_len": 16384,
            "dtype": "bfloat16", "gpu_memory_utilization": 0.8, "enable_log_requests": False,
        },
    ),
    "chart.yaml": ({"model": "/data/", "gpus": 1}, {"served_model_name": ["opt"], "dtype": "bfloat16"}),
    "recipe": (
        {"model": "deepseek-ai/DeepSeek-V3", "gpus": 8},
        {"tensor_parallel_size": 8, "enable_expert_parallel": True, "max_model_len": 32768},
    ),
}  # fmt: skip


def test_a_dockerfile_and_a_makefile_start_servers_too(tmp_path):
    texts = {
        "Dockerfile": 'FROM vllm/vllm-openai\nENTRYPOINT ["vllm", "serve", "Qwen/Qwen3-8B", "--max-num-seqs", "8"]\n',
        "Makefile": "serve:\n\tuv run vllm serve Qwen/Qwen3-8B --max-num-seqs 8\n",
        "job.sbatch": "#!/bin/bash\nsrun vllm serve Qwen/Qwen3-8B --max-num-seqs=8\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        answers = imported(read_running(tmp_path / name)).answers
        assert (answers["model"], answers["overrides"]) == (QWEN, {"max_num_seqs": 8})


@pytest.mark.parametrize("name", TAKEN)
def test_a_deployment_that_exists_is_taken_over(name):
    answers, overrides = TAKEN[name]
    found = imported(read_running(HERE / name))
    assert found.answers["overrides"] == overrides
    assert answers.items() <= found.answers.items()


def test_what_the_chart_has_a_value_for_stays_as_values():
    values = imported(read_running(HERE / "deployment.yaml")).values
    assert values["hfToken"] == {"secretName": "hf-token-secret", "key": "token"}
    assert values["cache"] == {"existingClaim": "mistral-7b"}
    assert values["resources"]["limits"] == {"cpu": "10", "memory": "20G"}
    assert (values["replicas"], values["podLabels"]) == (2, {"team": "ml"})
    assert values["service"] == {"port": 80, "portName": "http-mistral-7b"}
    mirrored = imported(read_running(HERE / "statefulset.yaml"))
    assert mirrored.values["image"] == "registry.example.com/vllm/vllm-openai:v0.33.0"
    assert mirrored.values["env"] == [{"name": "NCCL_DEBUG", "value": "WARN"}]
    assert mirrored.environment["HF_TOKEN"] == "hf_plain"
    assert mirrored.values["service"]["nodePort"] == 30800


def test_services_beside_wait_for_vllm_and_find_it_by_its_old_name():
    found = imported(read_running(HERE / "compose-webui.yaml"))
    services = found.compose["services"]
    assert services["webui"]["depends_on"] == ["vllm"]
    assert services["vllm"]["networks"] == {"default": {"aliases": ["vllm-server"]}}
    assert services["vllm"]["volumes"] == ["~/.cache/huggingface:/home/vllm/.cache/huggingface"]
    assert services["vllm"]["environment"] == {"VLLM_ATTENTION_BACKEND": "FLASHINFER"}
    assert found.environment == {"PORT": "8000"}
    networks = imported(read_running(HERE / "compose-lora.yaml")).compose["services"]["vllm"]["networks"]
    assert networks.keys() == {"default", "back"}


def test_a_secret_goes_to_env_and_is_never_said():
    found = imported(read_running(HERE / "background.sh"))
    assert found.environment["HF_TOKEN"] == "hf_abc"
    assert found.environment["VLLM_API_KEY"] == "sk-123"
    said = " ".join(f"{note.what} {note.why}" for note in found.notes)
    assert "hf_abc" not in said
    assert "sk-123" not in said
    assert {"GPU_0": "2", "GPU_1": "3"}.items() <= found.environment.items()


def test_every_argument_of_the_file_is_accounted_for():
    found = imported(read_running(HERE / "background.sh"))
    said = " ".join(note.what for note in found.notes)
    for option in ("--port", "--host", "--api-key", "--swap-space", "--max-model-len"):
        assert option in said
    assert {note.kind for note in found.notes} == {"taken", "changed", "overlay", "left out"}


@pytest.mark.parametrize(
    ("text", "suffix", "said"),
    [
        ("services: {web: {image: nginx}}", ".yaml", "no service runs vLLM"),
        ("services: {a: {image: vllm/vllm-openai}, b: {image: vllm/vllm-openai}}", ".yaml", "several services"),
        ("echo hello", ".sh", "no line starts a server"),
        ("a: [", ".yaml", "not valid YAML"),
        ("apiVersion: v1\nkind: Service\nmetadata: {name: x}", ".yaml", "no container"),
        ("servingEngineSpec: {modelSpec: [{}, {}]}", ".yaml", "2 models"),
        ("a\0b", ".sh", "no text"),
    ],
)
def test_a_file_that_starts_no_vllm_is_refused_in_one_line(tmp_path, text, suffix, said):
    file = tmp_path / f"file{suffix}"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match=said) as error:
        read_running(file)
    assert "\n" not in str(error.value)
