"""Rows of bench.csv as questions to the planner: what the row states, vLLM's defaults elsewhere."""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from generator.catalogue.behaviours import release_of
from generator.catalogue.classes import model_type_of
from generator.catalogue.gpus import find_gpu
from generator.catalogue.overheads import overheads
from generator.errors import GeneratorError
from generator.models.hardware import Cluster
from generator.models.parallelism import Layout
from generator.models.speed import Limits, Scenario
from generator.planning.kv_cache.settings import CacheSettings
from generator.planning.memory.budget import budget
from generator.planning.replica import Replica
from generator.planning.rules.hangs import needs_a_fork
from generator.planning.speed.footprint import footprint
from generator.planning.speed.roofline import soon_over
from generator.planning.weights.rank import rank_weights
from generator.sources.architectures import read_architecture
from generator.units import GIB
from tests.accuracy.bench_formats import KNOWN, quantization_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from generator.models.architecture import Architecture
    from generator.models.hardware import GPU
    from generator.models.quantization import Quantization
    from generator.models.speed import Footprint
    from generator.planning.weights.rank import RankWeights

Row = dict[str, str]

_RELEASE = re.compile(r"0\.\d+(\.\d+)?")
_GPUS = {
    "H100-SXM5-80GB": "H100-SXM-80GB",
    "A100-SXM4-80GB": "A100-SXM-80GB",
    "A100-PCIe-80GB": "A100-PCIE-80GB",
    "H100-PCIe-80GB": "H100-PCIE-80GB",
    "A100-SXM4-40GB": "A100-SXM-40GB",
    "H200-NVL-141GB": "H200-NVL-141GB",
}
"""bench.csv's spelling and the catalogue's."""
_BY_MONTH = (("2025-07", "0.9.2"), ("2025-10", "0.10.2"), ("2025-12", "0.11.0"), ("2026-01", "0.13.0"),
             ("2026-02", "0.15.0"), ("2026-03", "0.16.0"), ("2026-04", "0.18.0"), ("2026-06", "0.20.0"))  # fmt: skip
"""The newest release before a month (tags of github.com/vllm-project/vllm), for rows that state a date alone."""
_LATEST, _UNDATED = "0.22.0", "0.11.0"
_UNIFORM_SPREAD = 0.064
"""Standard deviation over mean of a uniform distribution on [0.8 L, L]."""
_CHAT_SPREAD = 0.58
_REPEATED = 2 / 3
"""Prefix hits of rows that send the same prompts three times."""
_LADDER = "lower concurrencies ran before on the same server"
"""Flags of runs at 1, 8 and 32 clients on one server, five requests a client, drawn with one seed: each begins with the
prompts of the one before. A fifth of the first tokens at 32 clients came as if alone (mean 613 ms, median 767)."""
_RUNG_BEFORE = {8.0: 1.0, 32.0: 8.0}
_REPEATS = ("llama-benchy", "kind=aggregate_output", "kind=single_stream_wall", "mean of 3 runs")
"""Notes of rows that come after others of their kind on the same server."""
_SPREAD = "arrivals were spread"
"""Notes of rows whose clients did not all start at once: no start counts."""
_LATE = 2
"""Times the median that a first token takes at least where a kernel is compiled for it."""
_DECODE_TOKENS = 2000.0
"""Answer length of rows that measured steady decoding for a while."""
_PCIE = ("PCIE", "NVL")


@dataclass(frozen=True)
class Case:
    """One row: what the planner is told."""

    row: Mapping[str, str]
    gpu: GPU
    link: Literal["nvlink", "pcie"]
    release: str
    footprint: Footprint
    scenario: Scenario
    limits: Limits
    forked: bool = False
    """True where the release has no kernels of the model's attention for the GPU: a fork's own were timed."""

    @property
    def means(self) -> bool:
        """True where the row's figures are means whatever their column says.

        InferenceMAX's samples do not state the statistic. Its TTFT grows with the batch as the mean over ten
        rounds does, the first of which starts all at once; the median would not see that round.
        """
        return "statistic (mean/median) not stated" in self.row["notes"]

    @property
    def ramped(self) -> bool:
        """True where clients came one by one to a run that ended soon: its mean holds how the load rose and fell.

        The median request met the load that the row states. Nothing but the notes says so: see `_SPREAD`.
        """
        prompts, clients = self.row["num_prompts"], self.row["concurrency"]
        return _SPREAD in self.row["notes"] and soon_over(int(prompts or 0), float(clients or 0))

    @property
    def decode_only(self) -> bool:
        """True where prompts were in the prefix cache and only the decode phase was measured."""
        return "decode phase only" in self.row["length_kind"]


def read_rows(truth: Path) -> list[Row]:
    """Every row of a file in bench.csv's format."""
    with truth.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def cases(rows: list[Row], configs: Path) -> Iterator[tuple[Row, Case | str]]:
    """Each row with its case, or with the reason why it is not asked."""
    twins = _twins(rows)
    for row in rows:
        reason = _outside(row)
        if reason:
            yield row, reason
            continue
        try:
            yield row, case(row, configs, twins.get(row["id"]))
        except GeneratorError as error:
            yield row, f"{type(error).__name__}: {error}"


def _outside(row: Row) -> str | None:
    checks = (
        (row["tier"] not in ("A", "B"), "tier C"),
        (row["spec_decode"] != "none", "speculation"),
        (not row["config_dir"], "no config.json"),
        ("MI3" in row["gpu"], "AMD GPU"),
        (row["weights"] not in KNOWN, f"weights {row['weights']}"),
        (not row["tp"] or not row["input_len"], "layout or length not stated"),
        (not row["output_len"] and "decode phase only" not in row["length_kind"], "output length not stated"),
        (not row["concurrency"] and not row["num_prompts"], "load not stated"),
    )
    return next((reason for fails, reason in checks if fails), None)


def _twins(rows: list[Row]) -> dict[str, Row]:
    """Rows that repeat another row's measurement under more GPUs: the id and the row with the true layout."""
    seen: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        figures = [row["median_ttft_ms"], row["median_tpot_ms"]]
        if all(figures) and row["n_gpus"]:
            key = [f"{float(figure):.1f}" for figure in figures]
            seen[(row["model_id"], row["gpu"], row["input_len"], row["output_len"], row["concurrency"], *key)].append(
                row
            )
    found = {}
    for group in seen.values():
        least = min(group, key=lambda row: int(row["n_gpus"]))
        found |= {row["id"]: least for row in group if int(row["n_gpus"]) > int(least["n_gpus"])}
    return found


def case(row: Row, configs: Path, twin: Row | None = None) -> Case:
    """The row as the planner is asked about it; `twin` states the true layout of a row that repeats it.

    Raises:
        GeneratorError: the catalogue or a reader refuses the row's GPU or model.
    """
    config, architecture = _model(configs, row["config_dir"])
    gpu = find_gpu(_GPUS.get(row["gpu"], row["gpu"]))
    independent = "independent vLLM replicas" in row["notes"]
    layout = _layout(twin or row, independent=independent)
    quantization = quantization_of(row, config, architecture)
    weights = _weights(architecture, quantization, layout)
    stored = quantization.kv_cache_dtype if quantization else None
    kv_dtype = "fp8" if row["kv_dtype"].startswith("fp8") or (stored or "").startswith("fp8") else "auto"
    kv_bytes = 1.0 if kv_dtype == "fp8" else 2.0
    scenario = _scenario(row, int(row["dp"] or 1) if independent else 1)
    work = footprint(architecture, layout, quantization, kv_bytes=kv_bytes, weights=weights)
    if work.state_layers:
        scenario = scenario.changed(prefix_hit_ratio=0.0)  # vLLM caches no prefixes of recurrent layers unless asked
    release = _release(row)
    alone = any(word in gpu.name for word in _PCIE)
    link: Literal["nvlink", "pcie"] = "pcie" if alone else Cluster(gpu=gpu, gpus_per_node=8).link
    server = _Server(gpu, architecture, layout, release, link, kv_dtype, weights.worst.total_bytes)
    return Case(
        row=row,
        gpu=gpu,
        link=link,
        release=release,
        footprint=work,
        scenario=scenario,
        limits=_limits(row, server, scenario),
        forked=needs_a_fork(architecture, release_of(release), gpu.capability),
    )


@cache
def _model(configs: Path, name: str) -> tuple[dict[str, Any], Architecture]:
    config = json.loads((configs / name / "config.json").read_text(encoding="utf-8"))
    return config, read_architecture(config)


@cache
def _weights(architecture: Architecture, quantization: Quantization | None, layout: Layout) -> RankWeights:
    return rank_weights(architecture, quantization, layout, language_model_only=True)


def _layout(row: Row, *, independent: bool) -> Layout:
    return Layout(
        tensor_parallel_size=int(row["tp"]),
        pipeline_parallel_size=int(row["pp"] or 1),
        data_parallel_size=1 if independent else int(row["dp"] or 1),
        enable_expert_parallel=row["ep"] == "True",
    )


def _release(row: Row) -> str:
    match = _RELEASE.match(row["vllm_version"])
    if match:
        return match.group()
    if row["date"]:
        return next((release for month, release in _BY_MONTH if row["date"][:7] < month), _LATEST)
    return _LATEST if row["vllm_version"].startswith("fork") else _UNDATED


def _scenario(row: Row, replicas: int) -> Scenario:
    prompt = float(row["input_len"])
    answer = float(row["output_len"] or _DECODE_TOKENS)
    variation = _CHAT_SPREAD if row["length_kind"].startswith("dataset_mean") else 0.0
    if row["length_kind"].startswith("uniform"):
        prompt, answer, variation = 0.9 * prompt, 0.9 * answer, _UNIFORM_SPREAD
    prompts = int(row["num_prompts"]) if row["num_prompts"] else None
    concurrency = float(row["concurrency"] or prompts or 1)
    if _SPREAD in row["notes"]:
        prompts = None
    if row["request_rate"] == "closed burst of c" or "kind=aggregate_output" in row["notes"]:
        prompts = int(concurrency)  # rounds of as many requests as clients, each of which starts at once
    return Scenario(
        arrival="closed" if row["concurrency"] else "burst",
        prompt_tokens=prompt,
        gen_tokens=answer,
        concurrency=concurrency,
        num_prompts=prompts,
        length_variation=variation,
        in_process="in-process" in row["flags"],
        warmed=_is_warmed(row),
        prefix_hit_ratio=_hits(row, concurrency),
        replicas=replicas,
        balancing="random" if replicas > 1 else "even",
    )


def _hits(row: Row, concurrency: float) -> float:
    """Share of prompt tokens that an earlier run of the same server had sent."""
    if "same seed repeated" in row["prefix_caching"]:
        return _REPEATED
    if _LADDER in row["flags"]:
        return _RUNG_BEFORE.get(concurrency, 0.0) / concurrency
    return 0.0


def _is_warmed(row: Row) -> bool:
    """Whether kernels were compiled before: the row says so, or none of its single requests came late."""
    if "warmups" in row["flags"] or any(word in row["notes"] for word in _REPEATS):
        return True
    late, mean, middle = (float(row[f"{stat}_ttft_ms"] or 0) for stat in ("p99", "mean", "median"))
    return row["concurrency"] == "1" and 0 < (late or mean) < _LATE * middle


class _Server(NamedTuple):
    """What the row's server ran."""

    gpu: GPU
    architecture: Architecture
    layout: Layout
    release: str
    link: Literal["nvlink", "pcie"]
    kv_dtype: str
    weights_bytes: int


def _limits(row: Row, server: _Server, scenario: Scenario) -> Limits:
    flags = row["flags"].replace("_", "-")
    tokens, sequences = _defaults(server.gpu)
    longest = int(scenario.prompt_tokens + scenario.gen_tokens)
    replica = Replica(
        architecture=server.architecture,
        layout=server.layout,
        cluster=Cluster(gpu=server.gpu, gpus_per_node=server.layout.ranks, interconnect=server.link),
        settings=CacheSettings(
            release=release_of(server.release),
            capability=server.gpu.capability,
            float16=model_type_of(server.architecture.model_type, server.release).float16,
            max_num_batched_tokens=int(_flag(flags, "max-num-batched-tokens") or tokens),
            max_num_seqs=int(row["max_num_seqs"] or _flag(flags, "max-num-seqs") or sequences),
            max_model_len=int(_flag(flags, "max-model-len") or max(longest, 4096)),
            kv_cache_dtype=server.kv_dtype,
            enable_prefix_caching=False,
            encoder_tokens=0,
        ),
    )
    memory = budget(
        replica,
        weights_bytes=server.weights_bytes,
        utilization=_flag(flags, "gpu-memory-utilization") or 0.9,
        table=overheads(),
    ).kv_cache_available_bytes
    cache = replica.cache
    room = max(memory.expected, 0)
    if not cache.starts(room, longest):
        room = max(memory.high, 0)  # the row's server did start
    mean = int(scenario.prompt_tokens + scenario.gen_tokens / 2)
    return Limits(
        max_num_seqs=replica.settings.max_num_seqs,
        max_num_batched_tokens=replica.settings.max_num_batched_tokens,
        enforce_eager="enforce-eager" in flags,
        cache_sequences=max(1.0, cache.max_concurrency(room, mean)),
    )


def _defaults(gpu: GPU) -> tuple[int, int]:
    """Batched tokens and sequences that vLLM's server takes (reference/memory.md section 3.3)."""
    if gpu.memory_bytes >= 70 * GIB and "A100" not in gpu.name:
        return 8192, 1024
    return 2048, 256


def _flag(flags: str, name: str) -> float | None:
    match = re.search(rf"{name}[= ]([\d.]+)", flags)
    return float(match.group(1)) if match else None
