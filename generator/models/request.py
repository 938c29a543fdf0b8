"""Request: everything that a user may ask for; one field is one option and one question of copier.yml."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from generator.models.hardware import Interconnect
from generator.models.value import Value
from generator.models.workload import PRESETS, BatchingMode, Preset, Targets, Workload

Artefact = Literal["command", "profile", "compose", "kubernetes"]
CI = Literal["github", "gitlab", "none"]
SourceChoice = Literal["auto", "hub", "local", "embedded"]
MOST = 128
"""GPUs of one node, and nodes, that a plan takes: beyond any machine (72 in an NVL72 rack), yet searched in seconds."""
MOST_GIB = 16384
"""GiB of one GPU that a plan takes: fifty times the largest of 2026."""
MOST_LOAD = 1_000_000
"""Requests, at once or a second, and price of a GPU-hour: beyond any deployment."""


class Request(Value):
    """One deployment, as asked for; a zero or an empty string means "not stated"."""

    model_config = ConfigDict(allow_inf_nan=False)

    model: str = Field(min_length=1, description="Hugging Face model id, embedded id or local directory")
    revision: str = Field("", description="Branch, tag or commit of the model; empty: the newest, pinned")
    source: SourceChoice = Field("auto", description="Where model facts come from")
    gpu: str = Field("auto", description="GPU by catalogue or NVML name; auto: detect; custom: --vram-gb")
    gpus: int = Field(1, gt=0, le=MOST, description="GPUs of one node")
    nodes: int = Field(1, gt=0, le=MOST, description="Nodes of one replica")
    interconnect: Interconnect = Field("auto", description="Link between the GPUs of one node")
    vram_gb: float = Field(0.0, ge=0, le=MOST_GIB, description="GiB of one GPU, where the table should not decide")
    capability: str = Field("", description="CUDA compute capability of a custom GPU, like 8.9")
    reserve_gb: float = Field(0.0, ge=0, le=MOST_GIB, description="GiB of each GPU that other processes hold")
    vllm: str = Field("", description="vLLM release; empty: the newest that this version knows")
    workload: Preset = Field("chat", description="Workload preset")
    prompt_tokens: int = Field(0, ge=0, description="Mean prompt tokens; 0: the preset's")
    gen_tokens: int = Field(0, ge=0, description="Mean generated tokens; 0: the preset's")
    concurrency: int = Field(0, ge=0, le=MOST_LOAD, description="Requests in flight at once; 0: the preset's")
    batching_mode: BatchingMode = Field("balanced", description="What to favour")
    prefix_hit_ratio: float = Field(0.0, ge=0, lt=1, description="Share of prompt tokens in the prefix cache")
    acceptance_rate: float = Field(0.0, ge=0, le=1, description="Chance that a drafted token is kept; 0: not known")
    ttft_ms: float = Field(0.0, ge=0, description="Target time to first token in ms; 0: none")
    tpot_ms: float = Field(0.0, ge=0, description="Target time per output token in ms; 0: none")
    requests_per_s: float = Field(0.0, ge=0, le=MOST_LOAD, description="Target request rate; 0: none")
    price: float = Field(0.0, ge=0, le=MOST_LOAD, description="Price of one GPU-hour; 0: the dated table's")
    headroom_gb: float = Field(0.0, ge=0, le=MOST_GIB, description="GiB of each GPU that the plan leaves unused")
    trust_remote_code: bool = Field(default=False, description="Run code from the model repository")
    overrides: dict[str, Any] = Field(
        default_factory=dict, description="Engine arguments that you set; null leaves one to vLLM"
    )
    replan: int = Field(0, ge=0, description="Raise it to plan again with today's planner and facts")
    measured: dict[str, Any] = Field(default_factory=dict, description="What the running deployment measured")

    @property
    def load(self) -> Workload:
        """The workload: the preset with the stated numbers in place of its own."""
        stated = {
            name: getattr(self, name) for name in ("prompt_tokens", "gen_tokens", "concurrency") if getattr(self, name)
        }
        shares = {name: getattr(self, name) for name in ("batching_mode", "prefix_hit_ratio", "acceptance_rate")}
        return PRESETS[self.workload].model_copy(update=stated | shares)

    @property
    def targets(self) -> Targets:
        """The stated service levels."""
        names = ("ttft_ms", "tpot_ms", "requests_per_s")
        return Targets(**{name: getattr(self, name) or None for name in names})
