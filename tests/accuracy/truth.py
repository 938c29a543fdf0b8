"""Shared loading: records of vLLM's own answers, model configs, GPUs, and the engine values of a record."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from generator.catalogue.behaviours import release_of
from generator.catalogue.classes import model_type_of
from generator.catalogue.gpus import find_gpu
from generator.models.parallelism import Layout
from generator.planning.defaults import scheduler_defaults, whole_item_tokens
from generator.planning.kv_cache.settings import CacheSettings
from generator.sources.architectures import read_architecture, read_quantization

if TYPE_CHECKING:
    from pathlib import Path

    from generator.models.architecture import Architecture
    from generator.models.hardware import GPU
    from generator.models.quantization import Quantization

Record = dict[str, Any]

GPUS_PER_NODE = 8
"""GPUs of the machine that the truth data stands for."""


class Model(NamedTuple):
    """One model's config.json, ModelOpt's file beside it, and what our readers make of them."""

    config: dict[str, Any]
    hf_quant_config: dict[str, Any] | None
    architecture: Architecture
    quantization: Quantization | None


def records(path: Path) -> list[Record]:
    """All records of a truth file."""
    return list(json.loads(path.read_text(encoding="utf-8")))


def has_config(record: Record, configs: Path) -> bool:
    """Whether the record's model has a config.json."""
    return (configs / record["model"] / "config.json").is_file()


@cache
def model(name: str, configs: Path) -> Model:
    """One model, read once."""
    folder = configs / name
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    extra = folder / "hf_quant_config.json"
    hf_quant_config = json.loads(extra.read_text(encoding="utf-8")) if extra.is_file() else None
    return Model(
        config=config,
        hf_quant_config=hf_quant_config,
        architecture=read_architecture(config, hf_quant_config),
        quantization=read_quantization(config, hf_quant_config),
    )


def gpu(record: Record) -> GPU:
    """The record's GPU from the catalogue."""
    return find_gpu(_GPU_NAMES.get(record["gpu"], record["gpu"]))


_GPU_NAMES = {
    "H100": "H100-SXM-80GB",
    "B200": "B200-180GB",
    "A100-80": "A100-SXM-80GB",
    "RTX5090": "RTX-5090-32GB",
}


def layout(record: Record) -> Layout:
    """The record's parallel sizes."""
    return Layout(
        tensor_parallel_size=record["tp"],
        pipeline_parallel_size=record["pp"],
        data_parallel_size=record.get("dp") or 1,
        enable_expert_parallel=bool(record.get("ep")),
        decode_context_parallel_size=record["engine_args"].get("decode_context_parallel_size", 1),
    )


def context_length(record: Record, architecture: Architecture) -> int:
    """The context of a record: what it asks for, or the model's own."""
    asked = record["engine_args"].get("max_model_len")
    return architecture.max_position_embeddings if asked in {None, -1} else int(asked)


_PASSED = (
    "kv_cache_dtype", "block_size", "enable_prefix_caching", "mamba_cache_mode", "mamba_ssm_cache_dtype",
    "async_scheduling", "disable_hybrid_kv_cache_manager", "num_gpu_blocks_override", "language_model_only",
    "quantization",
)  # fmt: skip


def settings(record: Record, found: Model) -> CacheSettings:
    """The engine values of a record, vLLM's defaults filled in by our own rules, never by the record's answer."""
    asked = record["engine_args"]
    card = gpu(record)
    length = context_length(record, found.architecture)
    batch = scheduler_defaults(
        card,
        release=release_of(record["vllm"]),
        max_model_len=length,
        max_num_batched_tokens=asked.get("max_num_batched_tokens"),
        max_num_seqs=asked.get("max_num_seqs"),
        performance_mode=asked.get("performance_mode"),
        whole_item_tokens=whole_item_tokens(
            found.architecture,
            model_type_of(found.architecture.model_type, record["vllm"]),
            language_model_only=asked.get("language_model_only", False),
        ),
    )
    speculation = asked.get("speculative_config") or {}
    return CacheSettings(
        release=release_of(record["vllm"]),
        capability=card.capability,
        float16=model_type_of(found.architecture.model_type, record["vllm"]).float16,
        max_num_batched_tokens=batch.max_num_batched_tokens,
        max_num_seqs=batch.max_num_seqs,
        max_model_len=length,
        checkpoint_kv_cache_dtype=found.quantization.kv_cache_dtype if found.quantization else None,
        speculative_method=speculation.get("method"),
        num_speculative_tokens=speculation.get("num_speculative_tokens", 0),
        **{name: asked[name] for name in _PASSED if name in asked},
    )


def share(part: int, whole: int) -> str:
    """A fraction as the reports print it."""
    return f"{part / whole:.6f}" if whole else "nan"


def label(record: Record) -> str:
    """Which row that is, in one line."""
    parallel = f"tp={record['tp']} pp={record['pp']} dp={record['dp'] or 1} ep={record.get('ep', False)}"
    return f"{record['model']} {record['vllm']} {record['gpu']} {parallel} {record['engine_args']}"
