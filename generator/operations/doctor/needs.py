"""Needs: what the recorded plan of a deployment asks of the machine that is to run it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from generator.catalogue.behaviours import ImageRow, image_of
from generator.catalogue.gpus import find_gpu
from generator.errors import UnknownFactError
from generator.models.capability import Capability
from generator.models.hardware import GPU, Cluster
from generator.models.plan import PlanRecord
from generator.models.value import Value
from generator.operations.doctor.env import read_env
from generator.units import gib

if TYPE_CHECKING:
    from generator.rendering.answers import Answers

_CONTAINERS = ("compose",)
_SHARED = ("serve.yaml", "gateway", "monitoring")
_HOST = ("compose", "command", "systemd")
_HELM = ("kubernetes", "production-stack", "llm-d", "kserve")


class NodeNeeds(Value):
    """One node's part of the plan, and how this repository launches it."""

    place: str
    service: str
    release: str
    image: str
    """The image that would run: that of `.env`, else the plan's."""
    asks: ImageRow
    rocm: bool
    artefacts: tuple[str, ...]
    architecture: str
    nodes: int
    gpu_ids: tuple[str, ...]
    """What each rank of this host takes: an index of the driver or a UUID."""
    gpu_names: tuple[str, ...] = ()
    """NVML's names of the planned GPU; empty of one that the user described."""
    gpu: str
    capability: Capability | None
    gpu_bytes: int | None
    nvlink: bool
    """Whether the plan counts with NVLink between the GPUs of a tensor-parallel group."""
    tensor_parallel: int
    utilization: float
    shm_bytes: int
    memory_bytes: int
    """Host memory that the plan asks for."""
    weights_bytes: int
    """Disk for weights and kernels."""
    local_model: str
    """Directory of the model; empty for one of the Hub."""
    gated: bool
    mounts: tuple[tuple[str, bool], ...] = ()
    """Paths of the host that the engine reads, and whether it writes there."""
    shared: tuple[str, ...] = ()
    """Files of the repository that containers read as users of their own."""
    address: str
    port: int | None
    key: bool
    token: bool
    env: bool
    """Whether there is a `.env`."""

    @property
    def here(self) -> bool:
        """Whether a launcher of this repository runs on a host, rather than in a cluster alone."""
        return any(name in self.artefacts for name in _HOST)

    @property
    def containers(self) -> bool:
        """Whether the launcher of this host is Docker."""
        return any(name in self.artefacts for name in _CONTAINERS)

    @property
    def cluster(self) -> bool:
        """Whether something of this repository is for Kubernetes."""
        return any(name in self.artefacts for name in _HELM)

    @property
    def needed_bytes(self) -> int | None:
        """Bytes that vLLM asks to be free on each GPU before it starts (v1/worker/utils.py: request_memory)."""
        return None if self.gpu_bytes is None else int(self.gpu_bytes * self.utilization)


def needs_of(place: Path, answers: Answers) -> NodeNeeds:
    """What the recorded plan at `place` needs of one node."""
    plan, values = answers.plan, answers.values
    env = read_env(place / ".env")
    facts: dict[str, Any] = values.get("model_facts") or {}
    artefacts = tuple(map(str, values.get("artefacts") or ()))
    shared = answers.place
    own = dict(enumerate(shared.gpu_ids))
    release, host = str(values.get("vllm")), plan.runtime.host
    image = env.get("VLLM_IMAGE") or plan.runtime.image
    local = str(facts.get("id")) if facts.get("source") == "local" else ""
    return NodeNeeds(
        place=str(place),
        service=str(values.get("service")),
        release=release,
        image=image,
        asks=image_of(release),
        rocm="rocm" in plan.runtime.image,
        artefacts=artefacts,
        architecture=plan.architecture,
        nodes=plan.runtime.nodes,
        gpu_ids=tuple(
            env.get(f"GPU_{index}") or own.get(number, index) for number, index in enumerate(_gpu_ids(plan, artefacts))
        ),
        **_card(plan, values),
        tensor_parallel=plan.layout.tensor_parallel_size,
        utilization=float(plan.engine.get("gpu_memory_utilization") or 0.9),
        shm_bytes=plan.runtime.shm_bytes,
        memory_bytes=0 if host is None else host.memory_request_mib * 1024**2,
        weights_bytes=gib(0 if host is None else host.cache_gib),
        local_model=local,
        gated=bool(facts.get("gated")),
        mounts=tuple((one.path, one.writable) for one in plan.runtime.mounts),
        shared=tuple(str(place / name) for name in _SHARED if "compose" in artefacts and (place / name).exists()),
        **_door(artefacts, env, shared.port),
        key=bool(env.get("VLLM_API_KEY")),
        token=bool(env.get("HF_TOKEN")),
        env=(place / ".env").is_file(),
    )


def _gpu_ids(plan: PlanRecord, artefacts: tuple[str, ...]) -> tuple[str, ...]:
    """The GPUs that one host gives: of all servers where Compose starts them, else of one, which a pod asks for."""
    if "compose" in artefacts and plan.servers:
        return tuple(index for server in plan.servers for index in server.gpu_ids)
    return plan.runtime.gpu_ids


def _card(plan: PlanRecord, values: dict[str, Any]) -> dict[str, Any]:
    """The planned GPU: the table's row, else what the plan recorded of it."""
    name = str(values.get("gpu"))
    try:
        gpu: GPU | None = find_gpu(name)
    except UnknownFactError:
        gpu = None
    recorded = plan.figures.gpu if plan.figures else None
    if gpu is None:
        capability = Capability.of(recorded.capability) if recorded else None
        size = recorded.bytes if recorded else None
        return {
            "gpu": name,
            "capability": capability,
            "gpu_bytes": size,
            "nvlink": values.get("interconnect") == "nvlink",
        }
    link = Cluster(gpu=gpu, gpus_per_node=1, interconnect=values.get("interconnect") or "auto").link
    return {
        "gpu": gpu.name,
        "gpu_names": gpu.nvml_names,
        "capability": gpu.capability,
        "gpu_bytes": gpu.memory_bytes,
        "nvlink": link == "nvlink",
    }


def _door(artefacts: tuple[str, ...], env: dict[str, str], own: int) -> dict[str, Any]:
    """Where clients are answered: the gateway of Compose, or the port of the scripts, which is `own` unless set."""
    port = env.get("PORT", "8080") if "compose" in artefacts else env.get("SCRIPT_PORT", str(own))
    return {"address": env.get("BIND_ADDR") or "127.0.0.1", "port": int(port) if port.isdigit() else None}
