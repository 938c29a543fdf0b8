"""Write generator/catalogue/models.toml from a folder of config.json files.

    python .github/scripts/embed_models.py ../shared/data/hf_configs

The folder holds one directory a model, `owner--name`, with config.json and, where it has one,
hf_quant_config.json. What is written are our own Architecture and Quantization values, never a config.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from generator.models.value import Value
from generator.sources.architectures import read_architecture, read_quantization

TABLE = Path(__file__).parents[2] / "generator" / "catalogue" / "models.toml"

HEADER = """\
# Embedded models: facts for planning without the Hub.
# Written by .github/scripts/embed_models.py from each model's config.json; do not edit.
# `architecture` and `quantization` are our own values as JSON (generator/models); header totals are not known.
"""

MODELS = (
    "meta-llama/Llama-3.1-8B-Instruct",
    "meta-llama/Llama-3.1-70B-Instruct",
    "meta-llama/Llama-3.2-1B",
    "meta-llama/Llama-4-Scout-17B-16E-Instruct",
    "Qwen/Qwen2.5-7B-Instruct",
    "Qwen/Qwen2.5-7B-Instruct-AWQ",
    "Qwen/Qwen2.5-7B-Instruct-GPTQ-Int4",
    "Qwen/Qwen2.5-32B-Instruct",
    "Qwen/Qwen2.5-72B-Instruct",
    "Qwen/Qwen3-0.6B",
    "Qwen/Qwen3-8B",
    "Qwen/Qwen3-14B",
    "Qwen/Qwen3-32B",
    "Qwen/Qwen3-32B-FP8",
    "Qwen/Qwen3-30B-A3B",
    "Qwen/Qwen3-30B-A3B-FP8",
    "Qwen/Qwen3-235B-A22B",
    "Qwen/Qwen3-235B-A22B-FP8",
    "Qwen/Qwen3-Coder-480B-A35B-Instruct",
    "Qwen/Qwen3-Next-80B-A3B-Instruct",
    "Qwen/Qwen3-VL-8B-Instruct",
    "Qwen/Qwen3-VL-30B-A3B-Instruct",
    "Qwen/Qwen3.5-27B",
    "Qwen/Qwen3.5-35B-A3B",
    "RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8-dynamic",
    "RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w4a16",
    "google/gemma-2-9b-it",
    "google/gemma-3-1b-it",
    "google/gemma-3-4b-it",
    "google/gemma-3-12b-it",
    "google/gemma-3-27b-it",
    "google/gemma-4-26B-A4B",
    "mistralai/Mistral-7B-v0.1",
    "mistralai/Mistral-Nemo-Instruct-2407",
    "mistralai/Mistral-Large-Instruct-2407",
    "mistralai/Mixtral-8x7B-v0.1",
    "deepseek-ai/DeepSeek-V2-Lite",
    "deepseek-ai/DeepSeek-V3",
    "deepseek-ai/DeepSeek-R1",
    "deepseek-ai/DeepSeek-V3.2",
    "deepseek-ai/DeepSeek-V4-Flash",
    "moonshotai/Kimi-K2-Instruct",
    "openai/gpt-oss-20b",
    "openai/gpt-oss-120b",
    "zai-org/GLM-4.5",
    "zai-org/GLM-4.5-Air",
    "zai-org/GLM-5-FP8",
    "MiniMaxAI/MiniMax-M2.5",
    "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
    "zai-org/GLM-5",
    "RedHatAI/Llama-4-Scout-17B-16E-Instruct-FP8-dynamic",
    "nvidia/DeepSeek-V3.2-NVFP4",
    "nvidia/GLM-5-NVFP4",
    "nvidia/GLM-5.1-NVFP4",
    "nvidia/Gemma-4-26B-A4B-NVFP4",
    "nvidia/Gemma-4-31B-IT-NVFP4",
    "nvidia/MiniMax-M2.5-NVFP4",
    "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4",
    "nvidia/Qwen3-235B-A22B-NVFP4",
    "nvidia/Qwen3.5-397B-A17B-NVFP4",
    "nvidia/Qwen3.6-27B-NVFP4",
    "nvidia/Qwen3.6-35B-A3B-NVFP4",
    "BAAI/bge-m3",
)


def main() -> None:
    """Write the table from the folder named on the command line."""
    configs = Path(sys.argv[1])
    rows = [row(model, configs / model.replace("/", "--")) for model in MODELS]
    TABLE.write_text("\n".join([HEADER, *rows]), encoding="utf-8")
    print(f"{len(rows)} models, {TABLE.stat().st_size} bytes")


def row(model: str, directory: Path) -> str:
    """One TOML row: the model's facts from its config.json."""
    config, other = load(directory / "config.json"), load(directory / "hf_quant_config.json")
    lines = ["[[model]]", f'id = "{model}"', f'source = "config.json of {model} on the Hugging Face Hub"']
    lines.append(f"architecture = '''{compact(read_architecture(config, other))}'''")
    scheme = read_quantization(config, other)
    if scheme is not None:
        lines.append(f"quantization = '''{compact(scheme)}'''")
    return "\n".join(lines) + "\n"


def compact(value: Value) -> str:
    """The value as JSON without its defaults, the tags of unions kept."""
    return json.dumps(pruned(value), separators=(",", ":"), sort_keys=True)


def pruned(value: Any) -> Any:
    """The value's fields that differ from their defaults, and every `kind`."""
    if isinstance(value, tuple):
        return [pruned(item) for item in value]
    if not isinstance(value, Value):
        return value
    fields = type(value).model_fields
    return {
        name: pruned(getattr(value, name))
        for name, field in fields.items()
        if name == "kind" or getattr(value, name) != field.default
    }


def load(path: Path) -> Any:
    """The JSON file's content, None where it does not exist."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


if __name__ == "__main__":
    main()
