"""What the model runner does with planned blocks: metadata builders, context parallelism, graph sizes.

A failure here may be a stand-in's, so it is reported beside the verdict and does not decide it.
"""

from __future__ import annotations

import copy

import torch
from vllm.config import set_current_vllm_config
from vllm.v1.worker.gpu import attn_utils
from vllm_judge.meta import ToMeta


def graphs_of(config, made):
    """The graph mode and sizes that vLLM would settle on."""
    from vllm.v1.worker.cp_utils import check_attention_cp_compatibility  # noqa: PLC0415 - asks for the device

    with set_current_vllm_config(config):
        with torch.device("meta"), ToMeta():
            _, support, _ = attn_utils.init_attn_backend(copy.deepcopy(made), config, torch.device("meta"))
        check_attention_cp_compatibility(config)
        drafted = config.speculative_config.num_speculative_tokens if config.speculative_config else 0
        mode = config.compilation_config.resolve_cudagraph_mode_and_sizes(
            support.min_cg_support,
            support.min_cg_attn_backend,
            1 + drafted,
            use_v2_model_runner=bool(config.use_v2_model_runner),
            kv_cache_config=made,
            max_num_reqs=config.scheduler_config.max_num_seqs,
        )
    return str(mode).rpartition(".")[2]
