"""What a rank holds besides weights and cache: the mechanism of each item; coefficients come with the table.

The items are those of vLLM's memory profile (0.32 v1/worker/gpu_worker.py:640, utils/mem_utils.py:285).
"""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING, Literal

from generator.models.feed_forward import Dense, MoE
from generator.models.interval import ByteInterval
from generator.models.overheads import release_key
from generator.units import MIB, ceil_div

if TYPE_CHECKING:
    from generator.models.architecture import Architecture, Layer
    from generator.models.hardware import GPU
    from generator.models.overheads import BudgetSettings, OverheadTable
    from generator.models.parallelism import Layout

Runner = Literal["v1", "v2"]
Link = Literal["nvlink", "pcie"]

_V2_DENSE = (0, 25)
"""Release notes of vLLM 0.25.0: Model Runner V2 is the default of all dense models (pull request 44443)."""
_V2_ALL = (0, 32)
"""vLLM 0.32 config/vllm.py:703: V2 for every model; 0.27.1 still logs gpu_model_runner.py (V1) for MoE."""
_BLACKWELL_DATACENTER = range(100, 110)
_LARGEST_INPUT_TOKENS = 16384
_RESERVE_SPREAD = 48 * MIB
"""Drivers differ by this much on the same product (RTX PRO 6000: 94.97 and 95.01 GiB)."""


def model_runner(architecture: Architecture, release: str) -> Runner:
    """The model runner that a release takes by default."""
    first = _V2_ALL if is_moe(architecture) else _V2_DENSE
    return "v2" if release_key(release)[:2] >= first else "v1"


def is_moe(architecture: Architecture) -> bool:
    """True where any layer routes tokens to experts."""
    return any(isinstance(layer.feed_forward, MoE) for layer in architecture.layer_kinds)


def device_total(gpu: GPU, table: OverheadTable) -> ByteInterval:
    """Total memory of the GPU as CUDA reports it, which vLLM multiplies by the utilization.

    NVML's total less what the driver keeps (nvidia-smi -q: `FB Memory Usage`, `Reserved`): 479 of 81,559 MiB
    on an H100.
    """
    if gpu.cuda_total_bytes is not None or gpu.unified_memory:
        return ByteInterval.exact(gpu.cuda_total_bytes or gpu.memory_bytes)
    known = table.reserved_bytes((gpu.name, *gpu.nvml_names))
    if known is not None:
        total = gpu.memory_bytes - known
        return ByteInterval(expected=total, low=total - _RESERVE_SPREAD, high=total + _RESERVE_SPREAD)
    reserved = table.term("device_reserved_mib", table.calibrated_since).times(MIB)
    return ByteInterval(
        expected=gpu.memory_bytes - reserved.expected,
        low=gpu.memory_bytes - reserved.high,
        high=gpu.memory_bytes - reserved.low,
    )


def non_torch(layout: Layout, *, link: Link, release: str, table: OverheadTable) -> ByteInterval:
    """Growth of memory outside PyTorch between vLLM's first snapshot and the end of its profile.

    Kernels' modules and library handles on every rank; with more ranks also the buffers of the collectives,
    which grow with each doubling of the world.
    """
    context = table.term("context_mib", release).times(MIB)
    world = layout.tensor_parallel_size * layout.pipeline_parallel_size
    if world == 1:
        return context
    return context + table.term(f"collectives_{link}_mib", release).times(log2(world) * MIB)


def activation_peak(
    architecture: Architecture,
    layout: Layout,
    settings: BudgetSettings,
    *,
    release: str,
    table: OverheadTable,
    first_stage: bool = True,
    last_stage: bool = True,
) -> ByteInterval:
    """Highest memory of the profiling pass above what stays: the largest of its three phases.

    The phases follow one another (encoder, forward pass, sampler), so their peaks do not add
    (vLLM 0.32 v1/worker/gpu/model_runner.py:991-1021).
    """
    phases = [table.term("token_factor", release).times(token_bytes(architecture, layout, settings))]
    if last_stage and settings.samples:
        runner = model_runner(architecture, release)
        phases.append(table.term(f"sampler_{runner}", release).times(logits(architecture, settings, runner)))
    if first_stage and architecture.towers and settings.encoder_tokens:
        phases.append(table.term(encoder_term(architecture), release).times(encoder_bytes(architecture, settings)))
    return ByteInterval(
        expected=max(phase.expected for phase in phases),
        low=max(phase.low for phase in phases),
        high=max(phase.high for phase in phases),
    )


def logits(architecture: Architecture, settings: BudgetSettings, runner: Runner) -> int:
    """Logits that the sampler is profiled with: a row of the vocabulary for each sequence.

    With speculation V1 also runs its rejection sampler, over one draft token more a sequence (vLLM 0.32
    v1/worker/gpu_model_runner.py:5998).
    """
    rows = min(settings.max_num_seqs, settings.max_num_batched_tokens)
    drafted = 2 if runner == "v1" and settings.num_speculative_tokens else 1
    return rows * drafted * architecture.vocab_size


def token_bytes(architecture: Architecture, layout: Layout, settings: BudgetSettings) -> int:
    """Bytes of one forward pass over `max_num_batched_tokens` tokens, at the widest layer of a rank."""
    widest = max((_layer_elements(architecture, layer, layout) for layer in architecture.layer_kinds), default=0)
    return settings.max_num_batched_tokens * widest * settings.dtype_bytes


def _layer_elements(architecture: Architecture, layer: Layer, layout: Layout) -> int:
    """Elements a token: input, residual, normalised input and output of the block, and its inner buffers."""
    hidden = 4 * architecture.hidden_size
    block = layer.feed_forward
    tensor = layout.tensor_parallel_size
    if isinstance(block, Dense):
        return hidden + ceil_div((3 if block.gated else 2) * block.intermediate_size, tensor)
    if isinstance(block, MoE):
        return hidden + _expert_elements(architecture.hidden_size, block, layout)
    return hidden


def _expert_elements(hidden_size: int, block: MoE, layout: Layout) -> int:
    """Elements a token of the fused experts' workspaces, a row for each of a token's experts.

    One buffer is as wide as the wider of gate-and-up projection and output, the other holds the activation
    (vLLM 0.32 fused_moe.py: intermediate_cache1 and 3 share one buffer).
    """
    shards = 1 if layout.enable_expert_parallel else layout.tensor_parallel_size * layout.data_parallel_size
    inner = ceil_div(block.moe_intermediate_size, shards)
    up = inner * (2 if block.gated else 1)
    shared = ceil_div(3 * block.shared_expert_intermediate_size, layout.tensor_parallel_size)
    return block.num_experts_per_tok * (max(up, hidden_size) + inner) + shared


def encoder_tokens(architecture: Architecture, max_num_batched_tokens: int) -> int:
    """Tokens of the multimodal input that vLLM profiles the encoder with; 0 for a model without one.

    The encoder budget is `max_num_batched_tokens`, or the largest single input where that is more (vLLM 0.32
    multimodal/encoder_budget.py): 16,384 tokens for encoders of any resolution (startup_logs.csv,
    encoder_cache_budget_tokens).
    """
    if not architecture.towers:
        return 0
    any_resolution = any(tower.any_resolution for tower in architecture.towers)
    return max(max_num_batched_tokens, _LARGEST_INPUT_TOKENS if any_resolution else 0)


def encoder_term(architecture: Architecture) -> str:
    """The coefficient of the encoder's phase.

    Inputs of any resolution fill the budget; inputs of fixed size leave a rest, and text between their frames.
    """
    any_resolution = any(tower.any_resolution for tower in architecture.towers)
    return "encoder_factor" if any_resolution else "encoder_fixed_factor"


def encoder_bytes(architecture: Architecture, settings: BudgetSettings) -> int:
    """Bytes of one encoder block over the patches of the largest input, of the widest tower.

    A patch holds ten times the block's width (residual, norm, queries, keys and values, the rotated ones, the
    output) and twice the feed-forward's inner width (before and after its activation).
    """
    patches = (
        tower.patches_per_token * (10 * tower.hidden_size + 2 * tower.intermediate_size)
        for tower in architecture.towers
    )
    return settings.encoder_tokens * max(patches, default=0) * settings.dtype_bytes


def persistent_buffers(
    architecture: Architecture, settings: BudgetSettings, *, release: str, last_stage: bool = True
) -> ByteInterval:
    """Penalty state of Model Runner V2: an int32 count and one bit for each sequence and vocabulary entry.

    vLLM 0.32 v1/worker/gpu/sample/penalties.py:41-47; V1 keeps none on the GPU.
    """
    if not last_stage or model_runner(architecture, release) == "v1":
        return ByteInterval.exact(0)
    counts = settings.max_num_seqs * architecture.vocab_size * 4
    mask = settings.max_num_seqs * ceil_div(architecture.vocab_size, 32) * 4
    return ByteInterval.exact(counts + mask)


def capture_sizes(settings: BudgetSettings, capability: int) -> int:
    """Number of captured batch sizes: 1, 2, 4, by 8 to 256, then by 16 (vLLM 0.32 config/vllm.py:2292)."""
    if settings.enforce_eager:
        return 0
    limit = 1024 if capability in _BLACKWELL_DATACENTER else 512
    largest = min(2 * settings.max_num_seqs * (1 + settings.num_speculative_tokens), limit)
    small = sum(size <= largest for size in (1, 2, 4))
    return small + min(largest, 256) // 8 + max(0, largest - 256) // 16


def cuda_graph_estimate(
    architecture: Architecture,
    settings: BudgetSettings,
    capability: int,
    *,
    release: str,
    table: OverheadTable,
) -> ByteInterval:
    """Bytes the profiler subtracts for CUDA graphs: none when eager or where the release has no estimate."""
    captures = capture_sizes(settings, capability)
    base = table.term("graph_estimate_mib", release)
    if not captures or not base.high:
        return ByteInterval.exact(0)
    slope = table.term("graph_layer_kib", release).times(captures * architecture.num_hidden_layers * 1024)
    return base.times(MIB) + slope


def cuda_graph_actual(
    architecture: Architecture,
    settings: BudgetSettings,
    capability: int,
    *,
    release: str,
    table: OverheadTable,
) -> ByteInterval:
    """What the capture really takes after the cache is allocated."""
    captures = capture_sizes(settings, capability)
    if not captures:
        return ByteInterval.exact(0)
    per_layer = table.term("graph_actual_kib", release)
    return per_layer.times(captures * architecture.num_hidden_layers * 1024)
