"""plan_record(): what templates print of a plan, and no more."""

import re
from typing import Any

from generator.models.checkpoint import ModelFacts
from generator.models.engine import Engine
from generator.models.plan import Card, Decision, Display, Figures, Plan, PlanRecord
from generator.models.serving import PoolingApi
from generator.models.vllm import VLLMConfig
from generator.presenting.memory import caches_nothing, memory_rows
from generator.presenting.speed import pass_text, speed_text
from generator.presenting.text import plural, times_text, tokens_text
from generator.presenting.verdict import verdict_text


def plan_record(
    plan: Plan, facts: ModelFacts, inputs: dict[str, Any], engine: Engine, pooling: PoolingApi | None = None
) -> PlanRecord:
    """The recorded part of a plan, its digest still empty; `pooling` is what a pooling server answers."""
    config = VLLMConfig(model=facts.id, arguments=plan.engine)
    return PlanRecord(
        schema_version=2 if pooling else 1,
        planner=plan.planner,
        inputs=inputs,
        summary=summary(plan),
        architecture=plan.model.architecture,
        parameters=plan.model.parameters,
        layout=plan.layout,
        engine=plan.engine,
        serve=config.serve_yaml(engine),
        args=config.args(engine)[3:],
        runtime=plan.runtime,
        verdict=plan.feasibility.verdict,
        decisions=tuple(Decision(field=one.field, value=one.value, reason=one.reason) for one in plan.decisions),
        warnings=plan.warnings,
        display=display(plan),
        pooling=pooling,
        servers=plan.servers,
        figures=figures(plan),
    )


def summary(plan: Plan) -> str:
    """One line: model, GPUs, layout, limits."""
    layout = plan.layout
    sizes = [f"TP {layout.tensor_parallel_size}"]
    sizes += [f"PP {layout.pipeline_parallel_size}"] if layout.pipeline_parallel_size > 1 else []
    sizes += [f"DP {layout.data_parallel_size}"] if layout.data_parallel_size > 1 else []
    sizes += ["EP"] if layout.enable_expert_parallel else []
    each = f"{len(plan.servers)} servers of " if plan.servers else ""
    where = f"{each}{plural(layout.ranks, 'GPU')} ({plan.cluster.gpu.name})"
    engine = plan.engine
    context, sequences = (engine.get(name, "vLLM's default") for name in ("max_model_len", "max_num_seqs"))
    limits = f"context {context}, {sequences} sequences"
    return f"{plan.model.id} on {where}: {' x '.join(sizes)}, {limits}"


def figures(plan: Plan) -> Figures:
    """What vLLM's own start-up code is asked with, and the figures that it has as well."""
    memory, cache, gpu = plan.memory, plan.kv_cache, plan.cluster.gpu
    left = memory.kv_cache_available_bytes
    stage = re.match(r"stage (\d+)", memory.worst_rank)
    length = plan.engine.get("max_model_len")
    return Figures(
        gpu=Card(
            name=gpu.nvml_names[0] if gpu.nvml_names else gpu.name,
            capability=gpu.capability.words,
            bytes=gpu.memory_bytes,
        ),
        weights_bytes=memory.weights_bytes.expected,
        cache_bytes=left.expected,
        cache_bytes_low=left.low,
        worst_stage=int(stage[1]) - 1 if stage else None,
        bytes_per_block=cache.bytes_per_block if cache else None,
        block_size_tokens=cache.block_size_tokens if cache else None,
        blocks=cache.num_blocks if cache else None,
        max_model_len=length if isinstance(length, int) and length > 0 else None,
    )


def display(plan: Plan) -> Display:
    """Strings of a plan that are ready to print, without markup."""
    cluster = plan.cluster
    nodes = f"{plural(cluster.nodes, 'node')} of " if cluster.nodes > 1 else ""
    return Display(
        verdict=verdict_text(plan),
        gpus=f"{nodes}{cluster.gpus_per_node} x {cluster.gpu.name}",
        memory=_memory(plan),
        concurrency=_concurrency(plan),
        context=_context(plan),
        speed=_speed(plan),
    )


def _memory(plan: Plan) -> tuple[tuple[str, str], ...]:
    rows = memory_rows(plan.memory)
    if not caches_nothing(plan):
        return rows
    return tuple(("Not used" if label == "KV cache" else label, figure) for label, figure in rows)


def _context(plan: Plan) -> str:
    longest = plan.engine.get("max_model_len") if caches_nothing(plan) else None
    if isinstance(longest, int):
        return f"{tokens_text(longest)} tokens"
    return f"{tokens_text(plan.kv_cache.at_max_model_len)} tokens" if plan.kv_cache else "none"


def _speed(plan: Plan) -> str:
    if plan.pooling:
        return pass_text(plan.pooling)
    return speed_text(plan.estimate) if plan.estimate else ""


def _concurrency(plan: Plan) -> str:
    if caches_nothing(plan):
        return f"{plural(plan.feasibility.max_concurrency_at_context, 'request')} at once; no token is cached"
    if plan.kv_cache is None:
        return "none"
    load = plan.inputs.load_in(plan.kv_cache.at_max_model_len)
    longest = f"{times_text(plan.kv_cache.max_concurrency)} requests of full context"
    if plan.runner == "pooling":
        return f"{longest}; {plan.feasibility.max_concurrency_at_context:,} of the planned length"
    mean = f"{plan.feasibility.max_concurrency_at_context:,} of {tokens_text(load.request_tokens)} tokens"
    return f"{longest}; {mean}"
