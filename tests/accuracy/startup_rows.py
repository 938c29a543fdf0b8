"""Rows of startup_logs.csv as cases for the planner: what the row states, vLLM's defaults elsewhere."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from generator.catalogue.behaviours import release_of
from generator.catalogue.classes import model_type_of
from generator.catalogue.gpus import find_gpu
from generator.errors import GeneratorError, SourceError
from generator.models.architecture import Architecture
from generator.models.hardware import Cluster
from generator.models.parallelism import Layout
from generator.models.quantization import Quantization
from generator.models.release import release_key
from generator.planning.kv_cache.settings import CacheSettings
from generator.planning.memory.overhead import joined_ranks
from generator.planning.replica import Replica
from generator.sources.config import assemble
from generator.units import GIB, gib
from tests.accuracy.requantized import quantization_config

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from generator.models.hardware import GPU

Row = dict[str, str]

DATA = Path(__file__).parent / "data"
MODELS = DATA / "models.json"
ADDED, ADDED_MODELS = DATA / "starts_added.csv", DATA / "starts_added_models.json"
"""Starts of our own search, which no coefficient is fitted to, in the same format."""

_RELEASE = re.compile(r"0\.\d+(\.\d+)*")
_REPOSITORY = re.compile(r"https://github\.com/(?!vllm-project/)[^/]+/[^/]+")
"""Issues of vLLM itself come from as many machines as there are."""
_NOT_DISCRETE = re.compile(r"GB10|GH200|AMD|MIG")
_GPUS = (
    ("H100 NVL", "H100-NVL-94GB"),
    ("H100 PCIe", "H100-PCIE-80GB"),
    ("H100", "H100-SXM-80GB"),
    ("H200", "H200-SXM-141GB"),
    ("H20", "H20-96GB"),
    ("A100 40GB", "A100-SXM-40GB"),
    ("A100-SXM4-40GB", "A100-SXM-40GB"),
    ("A100", "A100-SXM-80GB"),
    ("GB200", "GB200-186GB"),
    ("B200", "B200-180GB"),
    ("32 GB Blackwell", "RTX-5090-32GB"),
    ("RTX PRO 6000 Blackwell Server", "RTX-PRO-6000-Server-96GB"),
    ("RTX PRO 6000", "RTX-PRO-6000-96GB"),
    ("4090 D", "RTX-4090-D-24GB"),
    ("GH200", "GH200-96GB"),
)
"""A word of the row's GPU column and the catalogue's spelling, first match; other cards by their own name."""


@dataclass(frozen=True)
class Case:
    """One start: what the planner is told, and what vLLM logged."""

    row: Mapping[str, str]
    release: str
    replica: Replica
    quantization: Quantization | None
    utilization: float
    utilization_stated: bool

    @property
    def gpu(self) -> GPU:
        """The GPU of every rank."""
        return self.replica.gpu

    @property
    def layout(self) -> Layout:
        """Parallel sizes."""
        return self.replica.layout

    @property
    def settings(self) -> CacheSettings:
        """The engine's values."""
        return self.replica.settings

    @property
    def architecture(self) -> Architecture:
        """The model's shapes."""
        return self.replica.architecture

    @property
    def id(self) -> str:
        """The row's identifier."""
        return self.row["id"]

    def figure(self, column: str) -> float | None:
        """A logged figure; the least of the ranks where they differ."""
        values = [float(word) for word in self.row[column].split("|") if word]
        return min(values) if values else None

    @property
    def ran(self) -> bool:
        """True where memory did not stop the start."""
        return self.row["outcome"] != "fail"

    @property
    def text_only(self) -> bool:
        """True where the row starts without its encoders."""
        return _text_only(self.row)

    @property
    def stock(self) -> bool:
        """True for a release as published."""
        return bool(_RELEASE.fullmatch(self.row["vllm_version"]))

    @property
    def discrete(self) -> bool:
        """True for an NVIDIA GPU with memory of its own."""
        return not _NOT_DISCRETE.search(self.row["gpu"])

    @property
    def world(self) -> int:
        """Ranks of one replica."""
        return self.layout.tensor_parallel_size * self.layout.pipeline_parallel_size

    @property
    def reduced(self) -> int:
        """Ranks that reduce together: all but the stages."""
        return joined_ranks(self.layout, moe=self.architecture.is_moe) // self.layout.pipeline_parallel_size

    @property
    def source(self) -> str:
        """The repository that published the start, the page where there is none, else its own id."""
        found = _REPOSITORY.match(self.row["source_url"])
        return found[0] if found else self.row["source_url"] or self.id

    @property
    def link(self) -> Literal["nvlink", "pcie"]:
        """The link between the GPUs, by the product's own."""
        return self.replica.cluster.link


def is_stock(row: Mapping[str, str]) -> bool:
    """True for a release as published, on a GPU with memory of its own."""
    return bool(_RELEASE.fullmatch(row["vllm_version"])) and not _NOT_DISCRETE.search(row["gpu"])


def every_row(truth: Path) -> list[Row]:
    """Rows of the file in its order."""
    with truth.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def cases(rows: list[Row], configs: Path | None) -> Iterator[tuple[Row, Case | str]]:
    """Each row with its case, or with the reason why the planner cannot be asked.

    Without a folder of config.json files the models recorded from them serve.
    """
    recorded = {} if configs else _json(MODELS) | _json(ADDED_MODELS)
    for row in rows:
        if not row["config_file"]:
            yield row, "no config.json"
            continue
        try:
            model = _recorded(recorded[row["id"]]) if row["id"] in recorded else read_model(row, configs)
            yield row, case(row, *model)
        except GeneratorError as error:
            yield row, f"{type(error).__name__}: {error}"


def record(truth: Path, configs: Path, to: Path = MODELS) -> None:
    """Write what the readers make of every stock row's config.json."""
    models = {}
    for row in every_row(truth):
        if is_stock(row) and row["config_file"]:
            architecture, quantization = read_model(row, configs)
            models[row["id"]] = {
                "architecture": architecture.model_dump(mode="json"),
                "quantization": quantization and quantization.model_dump(mode="json"),
            }
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in models.items())
    to.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def _recorded(model: dict[str, Any]) -> tuple[Architecture, Quantization | None]:
    own = model["quantization"]
    return Architecture.model_validate(model["architecture"]), own and Quantization.model_validate(own)


def read_model(row: Mapping[str, str], configs: Path | None) -> tuple[Architecture, Quantization | None]:
    """The row's model as the readers of the sources see it.

    Raises:
        GeneratorError: a reader refuses the model, or there is no folder to read from.
    """
    if configs is None:
        raise SourceError("no model is recorded for this row; give --configs")
    config, quant_config = _config(row, configs)
    facts = assemble(
        id=row["model"], revision=None, source="local", config=config, quant_config=quant_config, tensors=None
    )
    return facts.architecture, facts.checkpoint.quantization


def case(
    row: Mapping[str, str],
    architecture: Architecture,
    quantization: Quantization | None = None,
    release: str = "",
) -> Case:
    """The row as the planner is asked about it; `release` stands in for a build between releases.

    Raises:
        GeneratorError: the catalogue does not know the row's GPU.
    """
    gpu = _gpu(row)
    release = release or row["vllm_version"]
    utilization, layout = _number(row["gpu_memory_utilization"]), _layout(row)
    return Case(
        row=row,
        release=release,
        replica=Replica(
            architecture=architecture,
            layout=layout,
            cluster=Cluster(gpu=gpu, gpus_per_node=layout.ranks),
            settings=_settings(row, gpu, release, architecture, quantization),
            stored=quantization,
        ),
        quantization=quantization,
        utilization=utilization or (0.9 if release_key(release) < (0, 20) else 0.92),
        utilization_stated=utilization is not None,
    )


def _config(row: Mapping[str, str], configs: Path) -> tuple[dict[str, Any], dict[str, Any] | None]:
    config = _json(configs / row["config_file"] / "config.json")
    side = configs / row["config_file"] / "hf_quant_config.json"
    quant_config = _json(side) if side.exists() else None
    other = quantization_config(row, config)
    if other is None:
        return config, quant_config
    return config | {"quantization_config": other}, None


@cache
def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _gpu(row: Mapping[str, str]) -> GPU:
    """The catalogue's GPU, with the total that CUDA sees where the row logs it; WSL2 shows NVML's total."""
    product = row["gpu"].removeprefix("NVIDIA ").removeprefix("GeForce ")
    name = next((ours for word, ours in _GPUS if word in product), row["gpu"])
    gpu = find_gpu(name)
    logged = row["gpu_total_gib_logged"]
    if "WSL" in row["gpu"] + row["gpu_source"] or logged:
        total = gib(logged) if logged else gpu.memory_bytes
        return gpu.model_copy(update={"cuda_total_bytes": total})
    return gpu


def _layout(row: Mapping[str, str]) -> Layout:
    return Layout(
        tensor_parallel_size=int(row["tp"] or 1),
        pipeline_parallel_size=int(row["pp"] or 1),
        data_parallel_size=int(row["dp"] or 1),
        enable_expert_parallel=row["ep"] == "True",
        decode_context_parallel_size=int(row["dcp"] or 1),
    )


def _settings(
    row: Mapping[str, str], gpu: GPU, release: str, architecture: Architecture, quantization: Quantization | None
) -> CacheSettings:
    tokens, sequences = _defaults(gpu)
    tokens = int(row["max_num_batched_tokens"] or tokens)
    logged = int(row["encoder_cache_budget_tokens"] or 0)
    speculative = re.search(r"num_speculative_tokens': (\d+)|[xn]=?(\d+)\b", row["speculative"])
    asked, _, stored = row["kv_cache_dtype"].partition("->")
    return CacheSettings(
        release=release_of(release),
        capability=gpu.capability,
        float16=model_type_of(architecture.model_type, release).float16,
        dtype=row["dtype"] or "auto",
        kv_cache_dtype=asked or "auto",
        checkpoint_kv_cache_dtype=_checkpoint_dtype(stored, quantization),
        enable_prefix_caching={"True": True, "False": False}.get(row["prefix_caching"]),
        speculative_method="mtp" if "mtp" in row["speculative"] else None,
        language_model_only=_text_only(row),
        max_model_len=int(row["max_model_len"] or _capped(row) or architecture.max_position_embeddings),
        max_num_seqs=min(int(row["max_num_seqs"] or sequences), tokens),
        max_num_batched_tokens=tokens,
        enforce_eager=row["enforce_eager"] == "True" or _number(row["cudagraph_gib"]) == 0,
        num_speculative_tokens=int(next(filter(None, speculative.groups()))) if speculative else 0,
        encoder_tokens=0 if _text_only(row) else logged or None,
        samples=row["other_flags"] != "runner=pooling",
    )


def _checkpoint_dtype(logged: str, quantization: Quantization | None) -> str | None:
    if logged:
        return logged.replace("float8_e4m3fn", "fp8_e4m3")
    return quantization.kv_cache_dtype if quantization else None


def _capped(row: Mapping[str, str]) -> int:
    """The length that the row's note says it was capped at; 0 where it says nothing."""
    found = re.search(r"max_model_len capped at ~?(\d+)", row["notes"])
    return int(found[1]) if found else 0


def _defaults(gpu: GPU) -> tuple[int, int]:
    """Batched tokens and sequences that vLLM's server takes (reference/memory.md section 3.3)."""
    if gpu.memory_bytes >= 160 * GIB:
        return 16384, 1024
    if gpu.memory_bytes >= 70 * GIB and "A100" not in gpu.name:
        return 8192, 1024
    return 2048, 256


def _text_only(row: Mapping[str, str]) -> bool:
    flags = row["other_flags"].replace("-", "_")
    return "language_model_only" in flags or bool(re.search(r"image'?:? 0", row["mm_limits"]))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
