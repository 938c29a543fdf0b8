"""A plan as a question to the judge, and the key of what its answer depends on."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generator.catalogue.loader import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from generator.models.hardware import GPU, Cluster
    from generator.models.plan import Plan

_HERE = Path(__file__).parent
_TIER = 70 << 30
"""From here on vLLM's default batch sizes are those of large GPUs (engine/arg_utils.py)."""
CHECKED_BY_US = frozenset({"--max-model-len", "--max-num-seqs", "--max-num-batched-tokens", "--gpu-memory-utilization"})
"""Bytes, lengths and sequences: an answer holds for all of them, and is checked against each plan's."""
WITHOUT_EFFECT = frozenset(
    {
        "--served-model-name", "--revision", "--host", "--port", "--shutdown-timeout", "--tool-call-parser",
        "--reasoning-parser", "--chat-template", "--generation-config", "--seed", "--max-log-len",
        "--disable-uvicorn-access-log",
    }
)  # fmt: skip
"""Flags that change nothing of layers, backends and caches."""


def card(gpu: GPU) -> dict[str, Any]:
    """The GPU as the judge pretends it."""
    return {
        "name": gpu.nvml_names[0] if gpu.nvml_names else gpu.name,
        "capability": f"{gpu.capability // 10}.{gpu.capability % 10}",
        "bytes": gpu.memory_bytes,
        "multiprocessors": _multiprocessors().get(gpu.name, 128),
    }


def question_of(plan: Plan, directory: Path, release: str) -> dict[str, Any]:
    """What is asked about a plan of status 0: its own command and the bytes it leaves to the cache of one rank."""
    left = plan.memory.kv_cache_available_bytes
    worst = re.match(r"stage (\d+)", plan.memory.worst_rank)
    return {
        "directory": str(directory),
        "argv": list(plan.command[3:]),
        "release": release,
        "gpu": card(plan.cluster.gpu),
        "count": plan.cluster.gpus_per_node,
        "nodes": plan.cluster.nodes,
        "cache_bytes": left.expected,
        "cache_bytes_low": left.low,
        "worst_stage": int(worst[1]) - 1 if worst else None,
    }


def bare_question(argv: Sequence[str], directory: Path, release: str, cluster: Cluster) -> dict[str, Any]:
    """What is asked where there is no plan: the user's own values, with more cache than any model takes."""
    return {
        "directory": str(directory),
        "argv": list(argv),
        "release": release,
        "gpu": card(cluster.gpu),
        "count": cluster.gpus_per_node,
        "nodes": cluster.nodes,
        "cache_bytes": 400 << 30,
        "cache_bytes_low": None,
        "worst_stage": None,
    }


def key_of(question: Mapping[str, Any], model: str) -> str:
    """A short digest of what the answer depends on: model, release, class of GPU, nodes and the flags that matter."""
    gpu = question["gpu"]
    kind = (gpu["capability"], gpu["bytes"] >= _TIER, "a100" in gpu["name"].lower())
    parts = (model, question["release"], kind, question["nodes"], sorted(mattering(flags_of(question["argv"]))))
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def flags_of(argv: Sequence[str]) -> dict[str, str]:
    """Flags of a command with their values joined; a switch has an empty one."""
    found: dict[str, list[str]] = {}
    last = ""
    for word in argv:
        if word.startswith("--"):
            last, _, value = word.partition("=")
            found[last] = [value] if value else []
        else:
            found.setdefault(last, []).append(word)
    return {name: " ".join(values) for name, values in found.items()}


def mattering(flags: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """The flags that an answer depends on."""
    left_out = CHECKED_BY_US | WITHOUT_EFFECT
    return ((name, value) for name, value in flags.items() if name not in left_out)


@cache
def _multiprocessors() -> dict[str, int]:
    """Streaming multiprocessors of each GPU of the tables."""
    return {name: int(count) for count, names in read(_HERE / "multiprocessors.toml").items() for name in names}
