"""Seeded random deployments: models x GPUs x counts x nodes x releases x workloads x objectives x a user's values."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generator.catalogue.models import embedded_ids
from generator.models.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

RELEASES = ("0.32.0", "0.33.0")
GPUS = (
    "T4-16GB", "A10-24GB", "L4-24GB", "A100-SXM-80GB", "A100-SXM-40GB", "L40S-48GB", "RTX-3090-24GB", "RTX-4090-24GB",
    "RTX-5090-32GB", "RTX-PRO-6000-96GB", "H100-SXM-80GB", "H20-96GB", "H200-SXM-141GB", "B200-180GB", "GB200-186GB",
    "B300-SXM-288GB",
)  # fmt: skip
"""Every capability that vLLM of these releases is built for."""
_COUNTS = (1, 1, 2, 2, 4, 4, 8, 8, 8, 16)
_CONCURRENCY = (0, 4, 8, 16, 32, 64, 128, 256, 512)
_OWN: dict[str, tuple[tuple[str, ...], int]] = {
    "tensor_parallel_size": (("1", "2", "3", "4", "5", "6", "8", "16"), 2),
    "pipeline_parallel_size": (("2", "3", "4"), 1),
    "data_parallel_size": (("2", "4", "8"), 1),
    "enable_expert_parallel": (("true",), 1),
    "kv_cache_dtype": (
        ("fp8", "fp8", "fp8_e4m3", "fp8_e5m2", "bfloat16", "nvfp4", "fp8_ds_mla", "int8_per_token_head",
         "turboquant_4bit_nc", "fp8_per_token_head"), 2),
    "max_num_seqs": (("1", "4", "64", "512", "1024", "4096"), 1),
    "speculative_config": (("1", "2", "3"), 2),
    "quantization": (
        ("fp8", "fp8", "fp8_per_tensor", "fp8_per_block", "mxfp8", "int8_per_channel_weight_only"), 2),
    "decode_context_parallel_size": (("2", "4", "8"), 1),
    "max_model_len": (("4096", "32768", "131072"), 1),
    "max_num_batched_tokens": (("512", "2048", "16384", "65536"), 1),
    "enforce_eager": (("true",), 1),
    "dtype": (("float16", "bfloat16", "float32"), 1),
}  # fmt: skip
"""A user's own values and how often each argument is drawn."""


@dataclass(frozen=True)
class Draw:
    """One deployment; `model` is a directory's name, also where the planner is asked by an embedded id."""

    name: str
    model: str
    request: Request
    own: dict[str, Any] = field(default_factory=dict)


def draws(seed: int, models: Mapping[str, Path], releases: Sequence[str] = RELEASES) -> Iterator[Draw]:
    """Endless deployments of one seed; a model without an embedded id is planned from its directory."""
    source = random.Random(seed)
    number = 0
    while True:
        yield _draw(f"{seed}-{number}", source, models, releases)
        number += 1


def _draw(name: str, source: random.Random, models: Mapping[str, Path], releases: Sequence[str]) -> Draw:
    model = source.choice(sorted(models))
    count = source.choice(_COUNTS)
    own = _own(source)
    request = Request(
        **_model(model, models[model]),
        gpu=source.choice(GPUS),
        gpus=min(count, 8),
        nodes=2 if count > 8 else 1,
        vllm=source.choice(releases),
        workload=source.choice(("chat", "rag", "agent", "batch")),
        concurrency=source.choice(_CONCURRENCY),
        batching_mode=source.choice(("balanced", "latency", "throughput")),
        overrides=own,
    )
    return Draw(name, model, request, own)


def _model(model: str, directory: Path) -> dict[str, Any]:
    identity = _embedded().get(model)
    return {"model": identity, "source": "embedded"} if identity else {"model": str(directory), "source": "local"}


def _own(source: random.Random) -> dict[str, Any]:
    """A third of the deployments has one or two values of the user's."""
    if source.random() >= 0.3:
        return {}
    names, weights = list(_OWN), [weight for _, weight in _OWN.values()]
    chosen = source.choices(names, weights, k=source.choice((1, 2)))
    return {name: _value(name, source.choice(_OWN[name][0])) for name in dict.fromkeys(chosen)}


def _value(name: str, word: str) -> Any:
    if name == "speculative_config":
        return {"method": "mtp", "num_speculative_tokens": int(word)}
    if word.isdecimal():
        return int(word)
    return True if word == "true" else word


@cache
def _embedded() -> dict[str, str]:
    """Embedded id by the name that its directory has."""
    return {directory_of(one): one for one in embedded_ids()}


def models_in(homes: Iterable[Path]) -> dict[str, Path]:
    """Every directory with a config.json under `homes`, by its name; and each embedded model, found there or not."""
    found = {name: Path(name) for name in _embedded()}
    for home in homes:
        found |= {one.parent.name: one.parent for one in sorted(home.glob("*/config.json"))}
    return found


def directory_of(name: str) -> str:
    """The directory's name of a Hub id."""
    return name.replace("/", "--")


def has_config(directory: Path) -> bool:
    """Whether vLLM can be asked about the model: a config.json is there, and does not call itself partial."""
    file = directory / "config.json"
    return file.is_file() and "partial facts" not in json.loads(file.read_text(encoding="utf-8")).get("_source", "")
