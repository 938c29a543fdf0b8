"""Parallel groups that are numbers alone: any TP, PP, DP and EP without a process group."""

from __future__ import annotations

from unittest.mock import MagicMock

import torch
from vllm.distributed import parallel_state


def become(config, stage):
    """Be rank 0 of that pipeline stage."""
    parallel = config.parallel_config
    tensor, stages = parallel.tensor_parallel_size, parallel.pipeline_parallel_size
    replicas = parallel.data_parallel_size
    sizes = {
        "_INNER_DP_WORLD": tensor * stages,
        "_TP": tensor,
        "_DP": replicas,
        "_EP": tensor * replicas,
        "_EPLB": tensor * replicas,
        "_PCP": 1,
        "_DCP": getattr(parallel, "decode_context_parallel_size", 1),
    }
    for name, size in sizes.items():
        if hasattr(parallel_state, name):
            setattr(parallel_state, name, _group(size, 0))
    parallel_state._PP = _group(stages, stage)  # noqa: SLF001 - what vLLM's own start fills
    parallel_state._WORLD = _group(tensor * stages * replicas, stage * tensor)  # noqa: SLF001
    parallel.rank = stage * tensor


def last_stage():
    """Whether this process is the last stage, which alone has the draft."""
    return parallel_state.get_pp_group().is_last_rank


def _group(size, rank):
    group = MagicMock()
    group.world_size, group.ranks = size, list(range(size))
    group.rank = group.rank_in_group = group.local_rank = rank
    group.is_first_rank, group.is_last_rank, group.first_rank = rank == 0, rank == size - 1, 0
    group.device = torch.device("meta")
    group.use_custom_op_call = False
    return group
