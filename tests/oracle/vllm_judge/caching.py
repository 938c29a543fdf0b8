"""The cache as vLLM plans it for given bytes: blocks, groups, capacity, and the later checks of blocks and graphs."""

from __future__ import annotations

from vllm.config import set_current_vllm_config
from vllm.v1.attention.backends import utils
from vllm.v1.core import kv_cache_utils
from vllm.v1.engine import core
from vllm_judge.building import register_specs

_ENDLESS = 1 << 60


def planned(config, stages, question, answer):
    """Plan the cache of all stages; the figures go into `answer`, a refusal is raised.

    The figures that no number of bytes changes come first, so that a cache that is too small hides none of them.
    """
    answer["level"] = "groups"
    config.cache_config.block_size = stages[0]["block"]
    specs = [one["specs"] for one in stages]
    with set_current_vllm_config(config):
        register_specs(config)
        more = _resolve(config, stages, specs, answer)
        if not any(specs):
            return
        answer.update(_lasting(config, specs, more))
        answer["level"] = "plan"
        made = _plan(config, specs, _bytes_of_stages(question, stages, question["cache_bytes"]), more)
        answer.update(_figures(config, made))
        answer["level"] = "blocks"
        _check_blocks(config, made)
        answer["block"] = config.cache_config.block_size
        answer["level"] = "graphs"
        check_states(config, made[0])
        if question.get("cache_bytes_low") is not None:
            answer["level"] = "low end"
            low = _bytes_of_stages(question, stages, question["cache_bytes_low"])
            made = _plan(config, specs, low, more)
            answer["blocks_low"] = made[0].num_blocks
            check_states(config, made[0])


def check_states(config, made):
    """VLLM's own check of sequences against blocks that hold states (config/compilation.py), made after planning."""
    seqs = config.scheduler_config.max_num_seqs
    full = config.compilation_config.cudagraph_mode.has_full_cudagraphs()
    if made.has_mamba_layers and full and seqs > made.num_blocks:
        raise ValueError(f"max_num_seqs ({seqs}) exceeds available Mamba cache blocks ({made.num_blocks}).")


def _resolve(config, stages, specs, answer):
    layouts = [one["layouts"] for one in stages if one["layouts"]]
    every = [one for of_stage in specs for one in of_stage.values()]
    if layouts and every:  # 0.29 and newer
        answer["layout"] = utils.resolve_kv_cache_layout(config, layouts, every).name
    newer = hasattr(core, "get_global_kv_cache_groups")  # 0.33
    return [core.get_global_kv_cache_groups(config, specs)] if newer else []


def _bytes_of_stages(question, stages, cache_bytes):
    """Bytes of each stage: a plan states its worst rank's, the others have more by what their weights are smaller."""
    weights = [one["parameter_bytes"] for one in stages]
    worst = question.get("worst_stage")
    if worst is None or worst >= len(weights):
        return [int(cache_bytes)] * len(weights)
    less = (weights[worst] - one for one in weights)
    return [int(cache_bytes) + (one if worst else max(0, one)) for one in less]  # the first one's peak is an encoder's


def _plan(config, specs, available, more):
    return core.get_kv_cache_configs(config, specs, available, *more)


def _lasting(config, specs, more):
    """Groups, and bytes of a block on each stage: asked with more memory than there is."""
    length = config.model_config.max_model_len
    found = {"bytes_per_block": []}
    for stage, of_stage in enumerate(specs):
        available = [2 * _ENDLESS] * len(specs)
        available[stage] = _ENDLESS
        made = _plan(config, specs, available, more)
        found["bytes_per_block"].append(_ENDLESS // made[0].num_blocks if of_stage else 0)
        config.model_config.max_model_len = length  # `auto` has taken the whole context
    found["groups"] = [[_group(config, one) for one in stage.kv_cache_groups] for stage in made]
    found["states"] = any(stage.has_mamba_layers for stage in made)
    return found


def _figures(config, made):
    whole = core.generate_scheduler_kv_cache_config(made)
    concurrency = float(kv_cache_utils.get_max_concurrency_for_kv_cache_config(config, whole))
    length = config.model_config.max_model_len
    return {
        "blocks": made[0].num_blocks,
        "max_model_len": length,
        "capacity_tokens": int(concurrency * length),
        "concurrency": round(concurrency, 4),
    }


def _group(config, group):
    """Kind, layers, tokens and bytes of a page, and pages that one request of the full length takes."""
    spec = group.kv_cache_spec
    pages = -(-spec.max_memory_usage_bytes(config) // spec.page_size_bytes)
    return [type(spec).__name__, len(group.layer_names), spec.block_size, spec.page_size_bytes, pages]


def _check_blocks(config, made):
    scheduler = core.generate_scheduler_kv_cache_config(made)
    specs = [one.kv_cache_spec for one in scheduler.kv_cache_groups]
    cached = [one.block_size for one in specs if getattr(one, "prefix_cacheable", True)]
    config.cache_config.num_gpu_blocks = scheduler.num_blocks
    config.cache_config.block_size = min(cached or [one.block_size for one in specs])
    config.validate_block_size()
    if hasattr(core, "resolve_kv_cache_block_sizes"):
        core.resolve_kv_cache_block_sizes(scheduler, config)
