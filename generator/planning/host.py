"""What a node gives beside its GPUs, and what monitoring compares with; both follow from the chosen candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.estimate import Estimate
from generator.models.host import Host, Watch
from generator.models.parallelism import Layout
from generator.units import GIB, MIB, ceil_div, gib, round_up

if TYPE_CHECKING:
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case

_SERVER_BYTES, _RANK_BYTES = gib(2), gib(4)
"""The API server, and each rank with its CUDA context: 6 GiB on one GPU (vLLM 0.33 docs/deployment/k8s.md)."""
_KERNELS_BYTES = gib(20)
"""Compiled kernels, logs and temporary files beside the weights."""
_COMPILING_CORES = 8
"""What a start may take beside the busy loops: compilation is the only time when more cores are used for long."""
_DOWNLOAD_BYTES_PER_S = 50_000_000
"""A shared line of 1 Gbit/s at less than half; the budget of a download, no forecast."""
_DOWNLOAD_FLOOR_S = 600
_PULL_S, _COOLDOWN_FLOOR_S = 600, 300
_MS = 1000


def host_of(
    layout: Layout, *, workers: int, stored_bytes: int, offloaded_bytes: int, shm_bytes: int, startup_s: int
) -> Host:
    """The share of a node that runs `workers` ranks; `stored_bytes` is the checkpoint, a draft model included.

    Cores: one for the API server, one for each engine core and one for each rank, which all spin (vLLM 0.33
    docs/configuration/optimization.md, "CPU Resources for GPU Deployments").
    """
    asked = _SERVER_BYTES + workers * _RANK_BYTES + offloaded_bytes + shm_bytes
    cores = 1 + layout.data_parallel_size + workers
    cache = ceil_div(stored_bytes + _KERNELS_BYTES, GIB)
    download = max(_DOWNLOAD_FLOOR_S, ceil_div(stored_bytes, _DOWNLOAD_BYTES_PER_S))
    return Host(
        memory_request_mib=ceil_div(asked, MIB),
        memory_limit_mib=ceil_div(round_up(asked + stored_bytes, GIB), MIB),
        cpu_request=cores,
        cpu_limit=2 * cores + _COMPILING_CORES,
        cache_gib=cache,
        disk_limit_gib=2 * cache,
        download_s=download,
        rollout_s=_PULL_S + download + startup_s,
        cooldown_s=max(_COOLDOWN_FLOOR_S, startup_s),
    )


def watch_of(case: Case, chosen: Candidate, speed: Estimate | None) -> Watch:
    """The user's targets where there are any, else the high end of the estimate's 95th percentiles."""
    running = max(1, chosen.concurrency)
    if speed is None:
        return Watch(requests=running)
    if case.pooling:
        return Watch(requests=running, e2e_s=_seconds(speed.e2e_ms.p95_high))
    targets = case.request.targets
    return Watch(
        requests=running,
        ttft_s=_seconds(targets.ttft_ms or speed.ttft_ms.p95_high),
        tpot_s=_seconds(targets.tpot_ms or speed.tpot_ms.p95_high),
        stated=bool(targets.ttft_ms or targets.tpot_ms),
    )


def _seconds(milliseconds: float) -> float | None:
    return round(milliseconds / _MS, 3) or None
