"""Decisions: every engine argument that the plan sets, with the reason and the number that decided it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from generator.models.plan import Decision
from generator.planning.draft_report import draft_reason
from generator.planning.serving import serving_decisions
from generator.presenting.text import gib_text, plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from generator.models.estimate import Estimate
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case

DRAIN_S = 30
"""Seconds that running requests get to finish; vLLM's own default of 0 cuts them."""


def decisions(case: Case, chosen: Candidate, speed: Estimate | None) -> tuple[Decision, ...]:
    """One decision an argument, in the order of serve.yaml; the user's own values say so."""
    made = {decision.field: decision for decision in _chosen(case, chosen, speed)}
    for name, value in case.fixed.items():
        made[name] = Decision(field=name, value=value, reason="you set it")
    drafting = draft_reason(case, chosen)
    if drafting:
        made["speculative_config"] = _decision("speculative_config", case.fixed["speculative_config"], drafting)
    return tuple(decision for name, decision in made.items() if name not in case.left_to_vllm)


def _chosen(case: Case, chosen: Candidate, speed: Estimate | None) -> Iterator[Decision]:
    facts, flags = case.facts, case.tables.engine.by_name
    if facts.source == "local":
        yield _decision("served_model_name", _served_name(facts.id), "clients name the model, not its path")
    if facts.revision:
        yield _decision("revision", facts.revision, "the commit that the plan was made for")
    yield from _parallel(case, chosen, speed)
    yield _decision("dtype", "auto", _dtype_reason(case))
    yield _decision("kv_cache_dtype", "auto", _cache_reason(case, chosen))
    yield chosen.context
    yield chosen.sequences
    yield chosen.tokens
    yield chosen.utilization
    if case.request.trust_remote_code:
        yield _decision("trust_remote_code", value=True, reason="you allow code from the model repository to run")
        if facts.revision:
            yield _decision("code_revision", facts.revision, "the code at the commit that was planned")
    yield from serving_decisions(case)
    if "shutdown_timeout" in flags:
        yield _decision("shutdown_timeout", DRAIN_S, "running answers finish before the server stops")


def _parallel(case: Case, chosen: Candidate, speed: Estimate | None) -> Iterator[Decision]:
    layout, gpus = chosen.layout, case.cluster.total_gpus
    held = gib_text(chosen.weights.worst.total_bytes)
    tensor = layout.tensor_parallel_size
    reason = f"{held} of weights on each GPU" if tensor > 1 else f"one GPU holds the {held} of weights"
    reason += f"; {speed.tpot_ms.mean:.1f} ms a token, {speed.output_tokens_per_s.mean:,.0f} tokens/s" if speed else ""
    yield _decision("tensor_parallel_size", tensor, reason)
    if layout.pipeline_parallel_size > 1:
        stages = plural(layout.pipeline_parallel_size, "stage")
        yield _decision("pipeline_parallel_size", layout.pipeline_parallel_size, f"{stages} over {gpus} GPUs")
    if layout.data_parallel_size > 1:
        replicas = plural(layout.data_parallel_size, "replica")
        reason = f"{replicas}, {chosen.load.concurrency} requests in flight on each"
        yield _decision("data_parallel_size", layout.data_parallel_size, reason)
    if layout.enable_expert_parallel:
        reason = f"whole experts over {layout.expert_parallel_size} GPUs"
        yield _decision("enable_expert_parallel", value=True, reason=reason)
    if layout.decode_context_parallel_size > 1:
        size = layout.decode_context_parallel_size
        yield _decision("decode_context_parallel_size", size, f"{size} GPUs share each sequence's cache")


def _dtype_reason(case: Case) -> str:
    if case.architecture.dtype == "bfloat16" and not case.gpu.supports_bf16:
        return f"{case.gpu.name} has no bfloat16: vLLM computes in float16"
    quantization = case.quantization
    stored = f"; weights stay {quantization.method}, as the checkpoint stores them" if quantization else ""
    return f"the checkpoint's own {case.architecture.dtype}{stored}"


def _cache_reason(case: Case, chosen: Candidate) -> str:
    own = case.quantization.kv_cache_dtype if case.quantization else None
    if own:
        return f"the checkpoint's own {own}"
    if chosen.cache.kv_cache_dtype not in {"auto", case.architecture.dtype}:
        return f"vLLM's choice for this model and GPU: {chosen.cache.kv_cache_dtype}"
    return "as the model computes; a smaller one costs accuracy and is not needed"


def _served_name(path: str) -> str:
    return path.rstrip("/").rsplit("/", 1)[-1]


def _decision(field: str, value: Any, reason: str) -> Decision:
    return Decision(field=field, value=value, reason=reason)
