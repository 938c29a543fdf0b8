"""What a rank holds besides weights and cache: the mechanism of each item; coefficients come with the table.

The items are those of vLLM's memory profile (0.32 v1/worker/gpu_worker.py:640, utils/mem_utils.py:285).
"""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING, Literal

from generator.models.architecture import Architecture, Layer
from generator.models.feed_forward import Dense, MoE
from generator.models.hardware import GPU
from generator.models.interval import ByteInterval
from generator.models.overheads import OverheadTable
from generator.models.parallelism import Layout
from generator.models.release import Release
from generator.planning.kinds.of import is_hybrid
from generator.planning.memory import attention, drafts, encoder, workspace
from generator.planning.memory.workspace import indexer_logits
from generator.planning.replica import once_a_replica
from generator.units import MIB, ceil_div

if TYPE_CHECKING:
    from generator.planning.replica import Replica

Runner = Literal["v1", "v2"]

_LONGER_AXES = 4
_TRITON_PROGRAMS = 128
"""Rows of the scratch of the masking kernel: one for each multiprocessor, 108 to 188 of a large GPU."""
_RESERVE_SPREAD, _OLDER_DRIVERS = 48 * MIB, 192 * MIB
"""Drivers differ on the same product (RTX PRO 6000: 94.97 and 95.01 GiB); older ones kept less for themselves (Tesla
T4: 14.56 and 14.74 GiB, RTX 3090: 23.53 and 23.70 GiB in torch's messages)."""


def model_runner(architecture: Architecture, release: Release) -> Runner:
    """The model runner that a release takes by default."""
    dense = not architecture.is_moe and not is_hybrid(architecture)
    listed = release.has("model_runner_v2", architecture=architecture.architecture)
    return "v2" if listed or (dense and release.has("model_runner_v2_for_dense")) else "v1"


def runner_of(replica: Replica) -> Runner:
    """The model runner of this server: the first one where it pools, until the second became every model's.

    vLLM 0.22.1 to 0.28.0 config/vllm.py: _is_default_v2_model_runner_model.
    """
    if not replica.settings.samples and not replica.release.has("model_runner_v2_pools"):
        return "v1"
    return model_runner(replica.architecture, replica.release)


def offloads_weights(architecture: Architecture, release: Release) -> bool:
    """Whether `cpu_offload_gb` moves weights: the second model runner left them on the GPU at first."""
    return model_runner(architecture, release) == "v1" or release.has("runner_v2_offloads_weights")


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
        return ByteInterval(expected=total, low=total - _RESERVE_SPREAD, high=total + _OLDER_DRIVERS)
    reserved = table.term("device_reserved_mib", table.calibrated_since).times(MIB)
    return ByteInterval(
        expected=gpu.memory_bytes - reserved.expected,
        low=gpu.memory_bytes - reserved.high,
        high=gpu.memory_bytes - reserved.low,
    )


def joined_ranks(layout: Layout, *, moe: bool) -> int:
    """Ranks that collectives join: replicas too where they share experts, others are engines of their own.

    vLLM 0.32 v1/engine/core.py:1473.
    """
    return layout.ranks if moe else layout.replica_ranks


@once_a_replica
def non_torch(replica: Replica, table: OverheadTable) -> ByteInterval:
    """Growth of memory outside PyTorch between vLLM's first snapshot and the end of its profile.

    Kernels' modules and library handles on every rank. Ranks that reduce together also hold the buffers of their
    collectives: a step as soon as there are two, a little for each doubling, and the workspaces of the fused
    all-reduce where the compiler puts one in. Stages only pass on what they made.
    """
    release, capability, layout = replica.release.version, replica.settings.capability, replica.layout
    fixed = table.term("context_mib", release, capability).times(MIB)
    fixed += table.term("stages_mib", release).times((layout.pipeline_parallel_size > 1) * MIB)
    reduced = joined_ranks(layout, moe=replica.architecture.is_moe) // layout.pipeline_parallel_size
    if reduced == 1:
        return fixed
    link = replica.cluster.link
    fixed += table.term(f"collectives_{link}_mib", release, capability).times(MIB)
    fixed += table.term(f"collectives_{link}_doubling_mib", release).times((log2(reduced) - 1) * MIB)
    return fixed + table.term("fused_all_reduce_mib", release, capability).times(fuses_all_reduce(replica) * MIB)


def fuses_all_reduce(replica: Replica) -> bool:
    """Whether the compiler fuses all-reduces with what follows them, which needs NVLink and no eager mode."""
    known = replica.release.has("fuses_all_reduce", capability=replica.settings.capability)
    return known and replica.cluster.link == "nvlink" and not replica.settings.enforce_eager


def rotary_tables(architecture: Architecture, dtype_bytes: int, release: Release) -> int:
    """Bytes of the rotary tables of a rank; those of several axes may have four times the positions."""
    longer = _LONGER_AXES if architecture.multi_axis_rotary and release.has("rotary_axes_of_four_lengths") else 1
    return architecture.rotary_bytes * dtype_bytes // 2 * longer


def unified_growth(gpu: GPU, *, release: Release, table: OverheadTable) -> ByteInterval:
    """What the host takes of a memory that it shares while the engine loads, which vLLM books as its own growth.

    Above all the page cache that reading the checkpoint fills; 0 on a GPU with memory of its own.
    """
    return table.term("unified_growth_mib", release.version).times(gpu.unified_memory * MIB)


@once_a_replica
def activation_peak(
    replica: Replica, table: OverheadTable, *, first_stage: bool = True, last_stage: bool = True
) -> ByteInterval:
    """Highest memory of the profiling pass above what stays: the largest of its phases.

    The phases follow one another (encoder, compilation, forward pass, sampler), so their peaks do not add (vLLM 0.32
    v1/worker/gpu/model_runner.py:991-1021); what the encoder put out is kept through all of them.
    """
    architecture, release = replica.architecture, replica.release.version
    stays = expert_workspaces(replica)
    forward = table.term("token_factor", release).times(token_bytes(replica))
    read = ByteInterval.exact(indexer_logits(architecture) + drafts.states_read(replica))
    phases = [forward + read, attention.profiled_pass(replica)]
    if first_stage:
        phases.append(compilation(replica, table))
    if last_stage and replica.settings.samples:
        phases.append(sampler(replica, table))
    first = runner_of(replica) == "v1"
    stays += table.term("activation_fixed_mib", release).times(first * MIB)
    phases = [phase + stays for phase in phases]
    if first_stage and profiles_encoder(replica):
        kept = ByteInterval.exact(encoder.output(replica))
        block = table.term(encoder.term(architecture), release).times(encoder.block_bytes(replica))
        phases = [block, *(phase + kept for phase in phases)]
    return ByteInterval(
        expected=max(phase.expected for phase in phases),
        low=max(phase.low for phase in phases),
        high=max(phase.high for phase in phases),
    )


def expert_workspaces(replica: Replica) -> ByteInterval:
    """Bytes of the routed experts' workspaces where they stay; 0 where the forward pass makes them anew."""
    kept = replica.release.has("keeps_expert_workspaces")
    return workspace.expert_workspace(replica) if kept else ByteInterval.exact(0)


def profiles_encoder(replica: Replica) -> bool:
    """Whether the profiling pass runs an encoder."""
    if not replica.architecture.towers or not encoder.tokens(replica):
        return False
    first = runner_of(replica) == "v1"
    return first or replica.release.has("model_runner_v2_profiles_encoders")


def compilation(replica: Replica, table: OverheadTable) -> ByteInterval:
    """Memory of the first compilation, which runs inside the profile: a copy of the rank's embedding.

    Inductor times its kernels on inputs of the real size (`benchmark_combo_kernel`, vLLM 0.32
    config/compilation.py:1002), and the largest input of the decoder's graph is the embedding; a compiled graph taken
    from the cache costs nothing (vLLM issue 54122). Multimodal decoders take embedded inputs, so theirs has none.
    """
    architecture = replica.architecture
    if replica.settings.enforce_eager or architecture.towers:
        return ByteInterval.exact(0)
    ranks = 1 if architecture.embed_whole else replica.layout.tensor_parallel_size
    copied = ceil_div(architecture.vocab_size, ranks) * architecture.hidden_size * replica.dtype_bytes
    return table.term("compilation_factor", replica.release.version).times(copied)


def sampler(replica: Replica, table: OverheadTable) -> ByteInterval:
    """Memory of the sampler's phase: copies of the logits, beside the hidden states of the whole batch.

    The masks of top-k and top-p come from a kernel with a row of scratch for each program.
    """
    architecture, settings, release = replica.architecture, replica.settings, replica.release
    runner = model_runner(architecture, release)
    beside = settings.max_num_batched_tokens * architecture.hidden_size * replica.dtype_bytes
    if runner == "v1" and release.has("masks_top_k_in_a_kernel"):
        beside += min(settings.max_num_seqs, _TRITON_PROGRAMS) * architecture.vocab_size * 4
    rows = table.term(f"sampler_{runner}", release.version).times(logits(replica, runner))
    return rows + ByteInterval.exact(beside)


def logits(replica: Replica, runner: Runner) -> int:
    """Logits that the sampler is profiled with: a row of the vocabulary for each sequence.

    With speculation V1 also runs its rejection sampler, over one draft token more a sequence (vLLM 0.32
    v1/worker/gpu_model_runner.py:5998).
    """
    settings = replica.settings
    rows = min(settings.max_num_seqs, settings.max_num_batched_tokens)
    drafted = 2 if runner == "v1" and settings.num_speculative_tokens else 1
    return rows * drafted * replica.architecture.vocab_size


def token_bytes(replica: Replica) -> int:
    """Bytes of one forward pass over `max_num_batched_tokens` tokens, at the widest layer of a rank."""
    widest = max((_layer_elements(replica, layer) for layer in replica.architecture.layer_kinds), default=0)
    return replica.settings.max_num_batched_tokens * widest * replica.dtype_bytes


def _layer_elements(replica: Replica, layer: Layer) -> int:
    """Elements a token: input, residual streams, normalised input and output of the block, and its inner buffers."""
    width, tensor = replica.architecture.hidden_size, replica.layout.tensor_parallel_size
    hidden, block = (3 + layer.streams) * width, layer.feed_forward
    if isinstance(block, Dense):
        return hidden + ceil_div((3 if block.gated else 2) * block.intermediate_size, 1 if block.whole else tensor)
    if isinstance(block, MoE):
        shared = ceil_div(3 * block.shared_expert_intermediate_size, tensor)
        kept = replica.release.has("keeps_expert_workspaces")
        return hidden + shared + (0 if kept else workspace.token_elements(width, block, replica.layout))
    return hidden


def persistent_buffers(replica: Replica, *, last_stage: bool = True) -> ByteInterval:
    """Penalties of Model Runner V2 and a draft's input inside the request: none before the profile counted buffers."""
    if not last_stage or not replica.release.has("profile_counts_all_consumed"):
        return ByteInterval.exact(0)
    return ByteInterval.exact(penalty_state(replica) + drafts.states_kept(replica))


def penalty_state(replica: Replica) -> int:
    """Bytes of Model Runner V2's penalties: an int32 count and one bit for each sequence and vocabulary entry.

    vLLM 0.32 v1/worker/gpu/sample/penalties.py:41-47; V1 keeps none on the GPU.
    """
    if not replica.settings.samples or model_runner(replica.architecture, replica.release) == "v1":
        return 0
    vocabulary = replica.architecture.vocab_size
    return replica.settings.max_num_seqs * (vocabulary + ceil_div(vocabulary, 32)) * 4
