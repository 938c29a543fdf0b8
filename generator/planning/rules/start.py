"""What vLLM refuses to start, before any memory is counted: one small function a rule, vLLM's reason in each.

`check_start` runs them in the order in which vLLM meets them. Each takes the whole replica and returns only where
the rule holds: else it raises RequestError. Sources are vLLM 0.32 unless a rule says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from generator.errors import RequestError, UnevenError
from generator.models.feed_forward import MoE
from generator.planning.kinds.of import attentions_of, states_of
from generator.planning.rules.classes import (
    shared_caches_stay_in_a_stage,
    stages_feed_the_first,
    stages_have_experts,
    stages_have_layers,
)
from generator.planning.rules.dtypes import (
    cache_dtype_is_the_models,
    cache_dtype_runs,
    dtype_runs,
    packed_cache_is_kept,
    quantization_runs,
    quantization_takes_dtype,
    rotated_heads_are_a_power_of_two,
)
from generator.planning.rules.instead import instead
from generator.planning.rules.slices import experts_fill_tiles, rotations_stay_whole, scales_divide, states_stay_whole
from generator.planning.rules.states import states_are_kept_in_their_dtype, states_are_read_in_parts
from generator.planning.rules.towers import towers_divide
from generator.planning.rules.widths import experts_divide_over_the_world, widths_divide

if TYPE_CHECKING:
    from generator.planning.replica import Replica


def check_start(start: Replica) -> None:
    """Return only where vLLM starts `start`, memory aside.

    Raises:
        RequestError: vLLM refuses it; the first reason it meets, and what to change.
    """
    for rule in RULES:
        try:
            rule(start)
        except UnevenError as error:
            error.instead = partial(instead, start, RULES)
            raise


def gpu_is_built_for(start: Replica) -> None:
    """The release's wheel carries code for the GPU (CMakeLists.txt: CUDA_SUPPORTED_ARCHS, and its CUDA's own)."""
    release, own, name = start.settings.release, start.settings.capability, "built_for"
    if own.is_rocm and not release.has(name, capability=own):
        raise RequestError(
            f"vLLM {release} on {start.gpu.name} ({own.words}) is not planned: its ROCm platform was not read; pin "
            f"vLLM {release.since[name]} or newer (--vllm)"
        )
    if not release.has(name, capability=own):
        last = release.until[name]
        raise RequestError(
            f"vLLM {release} is not built for compute capability {own.words}, which {start.gpu.name} has: choose a "
            f"newer GPU, or pin vLLM {last}, the last that was (--vllm {last})"
        )


def modelopt_algorithm_known(start: Replica) -> None:
    """ModelOpt's mixed precision needs a quant_method in older releases (model_arch_config_convertor.py:283)."""
    algorithm, release, name = start.modelopt_algorithm, start.settings.release, "reads_modelopt_mixed_precision"
    if algorithm and algorithm.upper() == "MIXED_PRECISION" and not release.has(name):
        first = release.since[name]
        raise RequestError(f"vLLM {release} knows no ModelOpt quant algo {algorithm}; pin vLLM {first} or newer")


def context_within_model(start: Replica) -> None:
    """The context asked for is at most the model's own (config/model.py:2527)."""
    asked, own = start.asked_context, start.architecture.max_position_embeddings
    if asked is not None and asked > own:
        raise RequestError(
            f"max_model_len {asked} is greater than the model's own context of {own} tokens (max_model_len derived "
            "from config.json); ask for at most that, or state more where its model card does: --set hf_overrides=... "
            "with max_position_embeddings, and rope_parameters for scaled RoPE"
        )


def batch_holds_every_sequence(start: Replica) -> None:
    """A step's tokens cover one for each sequence, and a whole prompt without chunked prefill (scheduler.py)."""
    tokens, seqs = start.settings.max_num_batched_tokens, start.settings.max_num_seqs
    if tokens < seqs:
        raise RequestError(f"max_num_batched_tokens {tokens} must be at least max_num_seqs {seqs}; raise the one")
    length = start.settings.max_model_len or 0
    if not start.chunked_prefill and tokens < length:
        raise RequestError(
            f"max_num_batched_tokens {tokens} must be at least max_model_len {length} without chunked prefill"
        )


def block_of_states(start: Replica) -> int:
    """Tokens of the block that a step has to cover where states are kept at block boundaries, 0 for none.

    Source: vLLM 0.26 config/vllm.py:2266.
    """
    if not start.release.has("a_step_holds_a_block_of_states") or not start.context.aligned:
        return 0
    return start.cache.block_size_tokens


def batch_holds_a_block_of_states(start: Replica) -> None:
    """The step that the user states, or leaves to vLLM, covers such a block."""
    tokens, block = start.settings.max_num_batched_tokens, block_of_states(start)
    if tokens < block:
        raise RequestError(
            f"max_num_batched_tokens {tokens} must be at least {block}, the block at whose ends vLLM "
            f"{start.release} keeps the states of this model: raise it, or set enable_prefix_caching=false"
        )


def world_fits_nodes(start: Replica) -> None:
    """One replica's ranks fit the node; ranks divide over nodes, and replicas too (vLLM 0.32 arg_utils.py:2365).

    A replica lies in one node or fills whole ones (config/parallel.py:823): else vLLM starts too few engines.
    """
    layout, nodes, own_gpus = start.layout, start.cluster.nodes, start.cluster.gpus_per_node
    world = layout.replica_ranks
    if nodes == 1 and world > own_gpus:
        raise RequestError(
            f"world size {world} is larger than the {own_gpus} available GPUs of this node; lower the "
            "parallel sizes, or serve on several nodes with --nodes"
        )
    if nodes > 1 and layout.ranks % nodes:
        raise RequestError(f"{layout.ranks} ranks do not divide over {nodes} nodes; choose a multiple of it")
    own = max(layout.ranks // nodes, 1)
    if nodes > 1 and own % world and world % own:
        raise RequestError(
            f"a replica of {world} ranks neither fits into the {own} of one node nor fills whole nodes; choose other "
            "parallel sizes, or another number of nodes"
        )
    total = start.cluster.total_gpus
    if layout.ranks > total:
        raise RequestError(f"{layout.ranks} ranks need as many GPUs, there are {total}; lower the parallel sizes")


def slices_stand_alone(start: Replica) -> None:
    """A slice holds all ranks, so one: CUDA counts one instance a process, and slices have no peer-to-peer access.

    https://docs.nvidia.com/datacenter/tesla/mig-user-guide (CUDA device enumeration, application considerations);
    vLLM 0.32 config/parallel.py:1053.
    """
    gpu, ranks = start.gpu, start.layout.ranks
    if gpu.slice_of and ranks > 1:
        raise RequestError(
            f"world size {ranks} is larger than the number of available GPUs (1): {gpu.name} is a MIG slice, CUDA "
            f"shows a process one slice, and slices have no link; serve a copy on each, or plan a whole {gpu.slice_of}"
        )


def heads_divide(start: Replica) -> None:
    """Query heads divide over tensor-parallel ranks (config/model.py:1546)."""
    tp = start.layout.tensor_parallel_size
    for attention in attentions_of(start.architecture):
        if attention.heads % tp:
            raise UnevenError(
                f"the total number of attention heads ({attention.heads}) must be divisible by tensor parallel size "
                f"({tp})"
            )
    name = start.architecture.architecture
    if start.release.has("divides_kv_heads", architecture=name):
        _kv_heads_divide(start, name)


def _kv_heads_divide(start: Replica, name: str) -> None:
    tp = start.layout.tensor_parallel_size
    for attention in attentions_of(start.architecture):
        if attention.kv_heads is not None and attention.kv_heads % tp:
            raise UnevenError(
                f"{name} repeats no key and value heads: its {attention.kv_heads} must be divisible by tensor parallel "
                f"size ({tp})"
            )


def experts_present(start: Replica) -> None:
    """Expert parallelism needs experts (config/model.py:1485)."""
    if start.layout.enable_expert_parallel and not start.architecture.is_moe:
        raise RequestError(
            "expert parallelism needs a mixture of experts, this model has none; drop --enable-expert-parallel"
        )


def decode_context_parallel_fits(start: Replica) -> None:
    """Decode context parallelism splits what tensor parallelism would replicate (config/model.py:1566)."""
    dcp, tp = start.layout.decode_context_parallel_size, start.layout.tensor_parallel_size
    if dcp == 1:
        return
    if tp % dcp:
        raise RequestError(f"tensor parallel size ({tp}) must be divisible by decode context parallel size ({dcp})")
    if len(start.cache.groups) > 1 and start.release.has("keeps_cache_groups_whole"):
        last = start.release.until["keeps_cache_groups_whole"]
        raise RequestError(
            f"vLLM {start.release} divides no cache of several groups of layers over ranks, which this model keeps: "
            f"set decode context parallelism to 1, or pin one after vLLM {last}"
        )
    for attention in attentions_of(start.architecture):
        if attention.windowed:
            raise RequestError("decode context parallelism does not support sliding windows; set it to 1")
        if attention.kv_heads is not None:
            _grouped_heads_fit(attention.heads, attention.kv_heads, tp, dcp)


def _grouped_heads_fit(heads: int, kv: int, tp: int, dcp: int) -> None:
    if tp <= kv:
        raise RequestError(
            f"decode context parallelism for GQA/MQA requires tensor parallel size ({tp}) to be greater than the "
            f"model's KV heads ({kv}); raise tensor parallelism or set decode context parallelism to 1"
        )
    if dcp > tp // kv:
        raise RequestError(
            f"decode context parallel size ({dcp}) exceeds {tp // kv}, the most for tensor parallel size {tp} and "
            f"{kv} KV heads"
        )
    if (heads // kv) % dcp:
        raise RequestError(
            f"query heads per KV head ({heads // kv}) must be divisible by decode context parallel size ({dcp})"
        )


def key_value_heads_divide(start: Replica) -> None:
    """KV heads divide over ranks, or ranks over KV heads, which are then replicated (layers/linear.py:1051)."""
    tp = start.layout.tensor_parallel_size
    for attention in attentions_of(start.architecture):
        kv = attention.kv_heads or tp
        if kv % tp and tp % kv:
            raise UnevenError(f"{kv} KV heads neither divide over tensor parallel size {tp} nor replicate evenly")


def states_divide(start: Replica) -> None:
    """Heads, channels and groups of recurrent layers divide over ranks; one group is repeated (mamba_mixer2.py:315)."""
    tp = start.layout.tensor_parallel_size
    for state in states_of(start.architecture):
        if state.divisible % tp:
            raise UnevenError(
                f"{state.divisible} heads of the model's recurrent layers must be divisible by tensor parallel size "
                f"({tp})"
            )
        if state.groups != 1 and state.groups % tp:
            raise UnevenError(
                f"{state.groups} groups of heads of the model's recurrent layers must be divisible by tensor parallel "
                f"size ({tp}), unless there is one"
            )


def experts_divide(start: Replica) -> None:
    """Without expert parallelism every rank holds a slice of each expert (fused_moe/config.py:1341)."""
    if start.layout.enable_expert_parallel:
        return
    ranks = start.layout.expert_slices
    for kind in start.architecture.layer_kinds:
        block = kind.feed_forward
        if isinstance(block, MoE) and block.moe_intermediate_size % ranks:
            raise UnevenError(f"experts of {block.moe_intermediate_size} channels do not divide over {ranks} ranks")


RULES: tuple[Callable[[Replica], None], ...] = (
    gpu_is_built_for, modelopt_algorithm_known, context_within_model, batch_holds_every_sequence,
    states_are_read_in_parts, states_are_kept_in_their_dtype,
    slices_stand_alone, world_fits_nodes,
    heads_divide, experts_present, stages_have_layers, stages_feed_the_first, stages_have_experts,
    shared_caches_stay_in_a_stage, decode_context_parallel_fits,
    quantization_runs, quantization_takes_dtype, dtype_runs,
    key_value_heads_divide, states_divide, experts_divide, experts_divide_over_the_world, widths_divide,
    scales_divide, states_stay_whole,
    rotations_stay_whole, experts_fill_tiles,
    towers_divide,
    cache_dtype_is_the_models, cache_dtype_runs, packed_cache_is_kept, rotated_heads_are_a_power_of_two,
)  # fmt: skip
"""Every rule, in the order in which vLLM meets them."""
