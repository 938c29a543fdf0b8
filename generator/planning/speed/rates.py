"""Rates of one rank: the GPU's datasheet figures times the fitted shares of its class."""

from typing import Literal, NamedTuple

from generator.errors import UnknownFactError
from generator.models.capability import ADA, BLACKWELL
from generator.models.hardware import GPU
from generator.models.speed import Coefficients, Footprint, ReleaseRange, WeightKernel, speed_class
from generator.units import GIB

Link = Literal["nvlink", "pcie"]

_PCIE_BYTES_PER_S = {3: 16e9, 4: 32e9, 5: 64e9, 6: 128e9}
"""One direction of an x16 slot by generation (PCI-SIG's raw rates, as aiconfigurator's systems/*.yaml use them)."""
_SLOW_BYTES_PER_S = 2e12
"""Bandwidth up to which experts' kernels achieve the same share of it."""
_QUEUED_STEPS: dict[ReleaseRange, float] = {"early": 0.0, "middle": 1.0, "late": 1.0}
"""Asynchronous scheduling schedules a step while the one before it runs (vLLM pull requests 19970 and, by default since
0.14, 27614)."""
_HALF_BYTES = 2
_WIDENS = frozenset({"int4", "int8", "mxfp4", "nvfp4"})
"""Kernels that widen their weights to the activations' format as they read them."""
_FP8_ARITHMETIC = frozenset({"fp8", "fp8_block", "fp4"})
"""Kernels whose inputs are quantized in a step of their own, and multiplied at the FP8 rate or faster."""


class Rates(NamedTuple):
    """What one rank achieves: the GPU's figures times fitted shares, and fixed costs in seconds."""

    dense_bytes_per_s: float
    expert_bytes_per_s: float
    kv_bytes_per_s: float
    state_bytes_per_s: float
    dense_flops: float
    expert_flops: float
    attention_flops: float
    layers_s: float
    """Fixed cost of all layers in one step: kernel starts, synchronisation, small kernels."""
    launch_s: float
    """Least time of a step that carries prompts, which the host launches kernel by kernel."""
    step_s: float
    """Scheduler, sampler and output of one step."""
    sequence_s: float
    """Host time of one step for each running sequence."""
    reduction_s: float
    """Latency of one all-reduce."""
    exchange_s: float
    """Latency of one step's other messages, each an all-reduce's of as many ranks: not measured."""
    link_bytes_per_s: float
    routing: float
    """Exponent of the batch in the number of distinct experts: below 1 where tokens choose alike."""
    imbalance: float
    """Work of the busiest expert-parallel rank over the mean."""
    captured: float
    """Share of `launch_s` that is left where the step fits a captured graph."""
    eager: float
    """Share of it that a step takes where none are captured."""
    intake_s: float
    """Time of the server for each request of a crowd that comes at once, before any of them is served."""
    cold_s: float
    """What the first requests wait for kernels that are compiled or tuned at their first use."""
    proxy_workers: float
    """Processes of a proxy in front of replicas, each of which hands out requests in turn."""
    first_token_s: float
    """Server time of a request before and after the engine: HTTP, templating, tokenizing."""
    prompt_token_s: float
    queued_steps: float
    """Steps that are scheduled already, beside the one in progress, when a request comes to a busy engine."""
    turn_bytes: float
    """Bytes that could be read while a kernel turns to another expert."""


def memory_class(gpu: GPU) -> str:
    """hbm, gddr or unified: the kind of memory that weights are read from.

    Raises:
        UnknownFactError: it is not known.
    """
    if gpu.memory_kind is None:
        raise UnknownFactError(f"the kind of memory of {gpu.name} is not known")
    return gpu.memory_kind


def generation(gpu: GPU) -> str:
    """The class of compute capability that coefficients are given for.

    Raises:
        UnknownFactError: nothing of its generation was ever timed.
    """
    found = speed_class(gpu.capability)
    if found is None:
        raise UnknownFactError(f"no GPU of {gpu.name}'s generation ({gpu.capability.words}) was ever timed")
    return found


def running_kernel(kernel: WeightKernel, gpu: GPU) -> str:
    """The kernel that serves a format on this GPU.

    FP4 weights run natively on SM100 alone, elsewhere they are widened in the kernel; FP8 weights are widened by
    Marlin below SM89 (vLLM 0.32 model_executor/layers/quantization/utils/marlin_utils_fp8.py).
    """
    if kernel in ("mxfp4", "nvfp4") and gpu.capability.family == BLACKWELL:
        return "fp4"
    if kernel in ("fp8", "fp8_block", "int8") and gpu.capability < ADA:
        return "int8"
    return kernel


def peak_flops(gpu: GPU, kernel: str, table: Coefficients) -> float:
    """Dense FLOP/s of the arithmetic that a running kernel ends in.

    Where no source states the GPU's figure it follows from the bandwidth by the balance of its class, which
    `estimate` says in its calibration.
    """
    flops = gpu.flops
    bandwidth = gpu.bandwidth_bytes_per_s or 0
    base = flops.bf16 or flops.fp16 or bandwidth * table.get(f"balance.{memory_class(gpu)}")
    if kernel in _FP8_ARITHMETIC:
        return float(flops.fp8 or 2 * base)
    return float(base)


def link_bytes_per_s(gpu: GPU, link: Link) -> float:
    """Bandwidth of one GPU in one direction to the others of its node."""
    if link == "nvlink" and gpu.nvlink_bytes_per_s:
        return float(gpu.nvlink_bytes_per_s)
    return _PCIE_BYTES_PER_S[gpu.pcie_generation or 4]


def rates(footprint: Footprint, gpu: GPU, table: Coefficients, *, link: Link, release: ReleaseRange) -> Rates:
    """Every rate of one rank.

    Raises:
        UnknownFactError: the GPU's bandwidth is not known.
    """
    if gpu.bandwidth_bytes_per_s is None:
        raise UnknownFactError(f"no memory bandwidth is known for {gpu.name} of {gpu.memory_bytes / GIB:.1f} GiB")
    get, tp = table.get, footprint.tensor_parallel_size
    sm, memory = generation(gpu), memory_class(gpu)
    reduction, growth = get(f"reduction.{link}"), get("reduction.growth")
    bandwidth = gpu.bandwidth_bytes_per_s * get(f"bandwidth.{memory}")
    dense, expert = running_kernel(footprint.dense_kernel, gpu), running_kernel(footprint.expert_kernel, gpu)
    compute = get(f"compute.{sm}")
    crowd = (tp / 2) ** -get("link.growth") if link == "pcie" and tp > 1 else 1.0
    pace = get(f"pace.{sm}")
    layers_s = _layers_s(footprint, table, dense, expert, release)
    kv = get("read.latent") if footprint.latent_layers else get("read.kv")
    kv *= get("read.kv_8bit") if footprint.kv_bytes < _HALF_BYTES else 1.0
    return Rates(
        dense_bytes_per_s=bandwidth * get(f"read.{dense}") * _widened(dense, memory, table),
        expert_bytes_per_s=bandwidth
        * get(f"experts.{memory}")
        * _faster_than_read(gpu, expert, table)
        * get(f"experts.{expert}")
        * _widened(expert, memory, table),
        kv_bytes_per_s=bandwidth * kv,
        state_bytes_per_s=bandwidth * get("read.state"),
        dense_flops=peak_flops(gpu, dense, table)
        * (get(f"compute_native.{sm}") if dense == "native" else compute)
        * get(f"mfu.{dense}"),
        expert_flops=peak_flops(gpu, expert, table) * get(f"compute_experts.{sm}") * get(f"mfu_experts.{expert}"),
        attention_flops=peak_flops(gpu, "native", table)
        * compute
        * get("mfu.sparse" if footprint.sparse_layers else "mfu.attention"),
        layers_s=layers_s * pace * get(f"release.{release}"),
        launch_s=layers_s * pace * get(f"launch.{release}"),
        step_s=get(f"step.{release}"),
        sequence_s=get(f"sequence.{release}"),
        reduction_s=reduction * (tp / 2) ** growth,
        exchange_s=sum(one.messages * reduction * (one.ranks / 2) ** growth for one in footprint.exchanges),
        link_bytes_per_s=link_bytes_per_s(gpu, link) * get(f"link.{link}") * crowd,
        routing=get("experts_chosen.routing"),
        imbalance=get("experts_chosen.imbalance") if footprint.expert_parallel_size > 1 else 1.0,
        captured=get("launch.captured"),
        eager=get("launch.eager"),
        intake_s=get("request.intake"),
        cold_s=get("cold.state" if footprint.state_layers else "cold.plain"),
        proxy_workers=get("proxy.workers"),
        first_token_s=get(f"request.{release}"),
        prompt_token_s=get("request.prompt_token"),
        queued_steps=_QUEUED_STEPS[release],
        turn_bytes=get("experts.turn"),
    )


def _faster_than_read(gpu: GPU, kernel: str, table: Coefficients) -> float:
    """How much less of a fast memory the experts' kernels achieve: their reads are short, and few are under way.

    FP4 arithmetic, whose kernels SM100 alone has, is spared: they read by bulk copies.
    """
    if kernel == "fp4":
        return 1.0
    share: float = max((gpu.bandwidth_bytes_per_s or 0) / _SLOW_BYTES_PER_S, 1.0) ** -table.get("experts.fall")
    return share


def _widened(kernel: str, memory: str, table: Coefficients) -> float:
    """What a widening kernel gains on slow memory, which hides more of the widening."""
    return table.get("read.widened") if memory != "hbm" and kernel in _WIDENS else 1.0


def _layers_s(footprint: Footprint, table: Coefficients, dense: str, expert: str, release: ReleaseRange) -> float:
    """Fixed costs of all layers; one of a mixer or a feed-forward alone is half a layer.

    Shared experts run beside the routed ones on a stream of their own since 0.12 (vLLM 0.12 layers/fused_moe/layer.py).
    """
    get = table.get
    halves = footprint.reductions / 2
    quantized = halves * (dense in _FP8_ARITHMETIC) + footprint.moe_layers * (expert in _FP8_ARITHMETIC)
    shared = "layer.shared" if release == "early" else "layer.shared_beside"
    return (
        halves * get("layer.base")
        + footprint.latent_layers * get("layer.latent")
        + footprint.sparse_layers * get("layer.sparse")
        + footprint.state_layers * get("layer.state")
        + footprint.moe_layers * get("layer.moe")
        + footprint.shared_layers * get(shared)
        + quantized * get("layer.quantize")
    )
