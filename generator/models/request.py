"""Request: everything that a user may ask for; one field is one option and one question."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from generator.models.hardware import Interconnect
from generator.models.value import Value
from generator.models.workload import Targets, Workload

Artefact = Literal["command", "profile", "compose", "kubernetes"]
SourceChoice = Literal["auto", "hub", "local", "embedded"]


class HardwareRequest(Value):
    """Which GPUs; `gpus` is per node."""

    gpu: str = "auto"
    """A catalogue name, an NVML product name, `auto` (detect), or `custom` with memory and capability."""
    gpus: int = Field(1, gt=0)
    nodes: int = Field(1, gt=0)
    interconnect: Interconnect = "auto"
    vram_gb: float | None = Field(None, gt=0)
    """Memory of one GPU in GiB, overriding the table."""
    capability: str | None = None
    """Compute capability (`8.9`) of a GPU that the table lacks."""
    reserve_gb: float = Field(0.0, ge=0)
    """GiB of each GPU that other processes hold."""


class Request(Value):
    """One deployment, as asked for."""

    model: str
    revision: str | None = None
    source: SourceChoice = "auto"
    hardware: HardwareRequest = HardwareRequest()
    vllm: str = ""
    """vLLM release; empty for the newest known."""
    workload: Workload = Workload()
    targets: Targets = Targets()
    headroom_gb: float = Field(0.0, ge=0)
    """GiB of each GPU that the plan leaves unused."""
    trust_remote_code: bool = False
    overrides: dict[str, Any] = Field(default_factory=dict)
    """Engine arguments that the user sets; null leaves one to vLLM. Constraints of the plan."""
    measured: dict[str, Any] = Field(default_factory=dict)
    """What `verify` and `calibrate` measured on the real deployment."""
