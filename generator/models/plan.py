"""Plan: what the planner proves, and PlanRecord: the part of it that templates print."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from generator.models.checkpoint import FactsSource
from generator.models.cost import Cost, Energy, Scaling
from generator.models.estimate import Estimate, PassEstimate
from generator.models.hardware import Cluster
from generator.models.host import Host, Launcher, Mount, Watch
from generator.models.interval import ByteInterval
from generator.models.kernels import Kernels
from generator.models.parallelism import Layout, Server
from generator.models.request import Request
from generator.models.serving import PoolingApi
from generator.models.value import Value
from generator.models.verdict import Feasibility, Verdict


class MemoryBudget(Value):
    """One rank's memory, worst rank of the replica; each item in bytes."""

    gpu_total_bytes: ByteInterval
    requested_bytes: ByteInterval
    weights_bytes: ByteInterval
    non_torch_bytes: ByteInterval
    activation_peak_bytes: ByteInterval
    cuda_graph_bytes: ByteInterval
    kv_cache_available_bytes: ByteInterval
    headroom_bytes: int = 0
    """Memory inside the request that the plan leaves unused (`--headroom-gb`)."""
    draft_weights_bytes: int = 0
    """Of the weights, those of a draft model."""
    worst_rank: str = "every rank is alike"
    calibration: str = ""


class CacheGroup(Value):
    """Layers that share one block table."""

    kind: str
    layers: int
    block_size_tokens: int
    page_size_bytes: int


class KVCacheReport(Value):
    """vLLM's allocator at the expected available memory."""

    block_size_tokens: int
    bytes_per_block: int
    num_blocks: int
    groups: tuple[CacheGroup, ...]
    capacity_tokens: int
    max_concurrency: float
    at_max_model_len: int


class Decision(Value):
    """One engine field, its value, and the reason with the number that decided it."""

    field: str
    value: Any
    reason: str


class ExplainedDecision(Decision):
    """A decision, and what would change it."""

    change: str = ""
    """Options and facts that would have another value chosen; empty where only the user's own value does."""


class Repair(Value):
    """One change that would make the plan fit, or meet what is asked for; already proven."""

    title: str
    flags: tuple[str, ...]
    effect: str
    changes: dict[str, Any] = Field(default_factory=dict)
    """Fields of the request and their new values: what `--apply` puts in."""


class Alternative(Value):
    """Another deployment that beats the chosen one in something, and why it lost."""

    kind: str
    layout: Layout
    flags: tuple[str, ...]
    tpot_ms: float | None
    """None where its speed is not modelled."""
    output_tokens_per_s: float | None
    gain: str = ""
    """What it is better in, both figures."""
    lost: str
    """Why it was not chosen, with the figure that decided."""
    servers: int = 1
    """Independent servers of this layout behind a router; the figures are of all."""


class RunnerUp(Value):
    """The second-best way to use the same GPUs, and why it is second."""

    layout: Layout
    flags: tuple[str, ...]
    estimate: Estimate
    why_not: str
    servers: int = 1
    """Equal servers of this layout behind one gateway, of which the estimate is."""


class Runtime(Value):
    """What the deployment needs around the engine."""

    image: str
    startup_s: int
    shm_bytes: int
    host_ram_bytes: int
    drain_s: int
    nodes: int = 1
    """Nodes that the layout uses."""
    gpus_per_node: int = 1
    """GPUs of each of those nodes that the layout uses."""
    gpu_ids: tuple[str, ...] = ()
    """The driver's indices of a node's GPUs, where no other deployment is on it."""
    shm_mib: int = 1024
    """`shm_bytes` in MiB, rounded up."""
    host_ram_mib: int = 0
    """`host_ram_bytes` in MiB, rounded up; 0: none is asked for."""
    startup_probes: int = 60
    """Kubernetes failureThreshold: `startup_s` over the probes' 10 s, rounded up."""
    progress_deadline_s: int = 1200
    """Kubernetes progressDeadlineSeconds: `startup_s` and 600 s for pulling the image."""
    grace_period_s: int = 60
    """From the order to stop until the kill: 15 s of preStop sleep, `drain_s`, 15 s of margin."""
    host: Host | None = None
    """Memory, processors and disk of one node; None in what older packages recorded."""
    watch: Watch | None = None
    """What monitoring compares with; None in what older packages recorded."""
    mounts: tuple[Mount, ...] = ()
    """What engine values name on the host's disk; the model and a draft model aside."""


class ModelSummary(Value):
    """The model, for reports."""

    id: str
    revision: str | None
    source: FactsSource
    architecture: str
    parameters: int
    active_parameters: int
    checkpoint_bytes: int
    context_tokens: int = 0
    """The longest context that vLLM accepts for the model."""
    license: str | None = None
    gated: bool | None = None


class DraftSummary(Value):
    """The model that drafts for the served one, for reports."""

    id: str
    revision: str | None
    source: FactsSource
    method: str
    """VLLM's name of the way to draft."""
    architecture: str
    num_speculative_tokens: int
    weights_bytes: int
    """Bytes of its weights on one rank of the last pipeline stage."""
    cache_bytes_per_token: int
    """Bytes that one token of context takes in its cache, on the same rank."""


class Plan(Value):
    """The whole proof; `plan --json` prints this object."""

    schema_version: int = Field(1, serialization_alias="schema")
    planner: str
    inputs: Request
    cluster: Cluster
    layout: Layout
    servers: tuple[Server, ...] = ()
    """Equal servers of this layout behind one gateway, whose rates the estimate sums; empty where there is one."""
    feasibility: Feasibility
    model: ModelSummary
    draft: DraftSummary | None = None
    engine: dict[str, Any]
    command: tuple[str, ...]
    runtime: Runtime
    launcher: Launcher = Launcher()
    memory: MemoryBudget
    kv_cache: KVCacheReport | None
    kernels: Kernels = Kernels()
    estimate: Estimate | None = None
    estimate_missing: str = ""
    """Why there is no estimate; empty where there is one."""
    runner: Literal["generate", "pooling"] = "generate"
    """pooling: the server answers with vectors, classes or scores, and `pooling` takes the place of `estimate`."""
    pooling: PassEstimate | None = None
    cost: Cost | None = None
    scaling: Scaling | None = None
    energy: Energy | None = None
    decisions: tuple[ExplainedDecision, ...]
    advisories: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    runner_up: RunnerUp | None = None
    repairs: tuple[Repair, ...] = ()


class Display(Value):
    """Strings and figures ready to print; templates do no arithmetic."""

    verdict: str
    gpus: str
    memory: tuple[tuple[str, str], ...]
    """Rows of the memory table: item, `12.3 GiB`."""
    concurrency: str
    context: str
    speed: str = ""


class Card(Value):
    """One GPU as vLLM sees it."""

    name: str
    """As NVML spells it."""
    capability: str
    bytes: int
    multiprocessors: int = 128
    """No choice of vLLM's start depends on it."""


class Figures(Value):
    """The plan's figures of one rank that vLLM's own start-up code has as well, in bytes and tokens."""

    gpu: Card
    weights_bytes: int
    cache_bytes: int
    cache_bytes_low: int
    worst_stage: int | None
    """The pipeline stage that these are of, from 0; None where all ranks are alike."""
    bytes_per_block: int | None = None
    block_size_tokens: int | None = None
    blocks: int | None = None
    max_model_len: int | None = None


class PlanRecord(Value):
    """What templates print and `.copier-answers.yml` records; its digest covers all of it."""

    schema_version: int = 1
    """2 where the model pools: templates before 1.3.0 refuse it and have nothing to print of it."""
    planner: str
    inputs: dict[str, Any]
    summary: str
    architecture: str
    parameters: int
    layout: Layout
    engine: dict[str, Any]
    serve: dict[str, Any]
    """serve.yaml's mapping in order: dashed keys, `model` left out."""
    args: tuple[str, ...]
    """argv after `vllm serve MODEL`."""
    runtime: Runtime
    verdict: Verdict
    decisions: tuple[Decision, ...]
    warnings: tuple[str, ...] = ()
    display: Display
    pooling: PoolingApi | None = None
    """What the server answers where the model pools; not recorded where it generates text."""
    servers: tuple[Server, ...] = ()
    """Equal servers on the node; not recorded where there is one."""
    figures: Figures | None = None
    """What `make preflight` asks vLLM with, and compares; records of packages before 1.5.0 have none."""
    digest: str = ""

    @model_serializer(mode="wrap")
    def _without_what_is_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Packages read a record without what they lack: `pooling` before 1.3.0, `figures` 1.5.0, `servers` 1.7.0."""
        recorded: dict[str, Any] = handler(self)
        absent = {name for name in ("pooling", "figures", "servers") if not getattr(self, name)}
        return {name: it for name, it in recorded.items() if name not in absent}


def digest_of(recorded: Mapping[str, Any]) -> str:
    """SHA-256 over a recorded plan without its digest; keys sorted, as copier.yml's validator computes it."""
    body = {name: value for name, value in recorded.items() if name != "digest"}
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
