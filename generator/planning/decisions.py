"""Decisions: every engine argument that the plan sets, with the reason and the number that decided it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from generator.errors import RequestError
from generator.models.estimate import Estimate
from generator.models.plan import Decision, ExplainedDecision, RunnerUp
from generator.planning.arithmetic import arithmetic, cache_arithmetic
from generator.planning.choosing.words import layout_words
from generator.planning.drafts.report import draft_reason
from generator.planning.memory.measured import known_boot
from generator.planning.rules.checks import default_limits
from generator.planning.rules.dtypes import cache_dtype_runs
from generator.planning.serving.features import serving_decisions
from generator.planning.speed.measured import known_bench
from generator.presenting.text import gib_text, plural

if TYPE_CHECKING:
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case

_SNAPSHOT = re.compile(r"/models--([^/]+)/snapshots/[^/]+/?$")
DRAIN_S = 30
"""Seconds that running requests get to finish; vLLM's own default of 0 cuts them."""


def decisions(
    case: Case, chosen: Candidate, speed: Estimate | None, second: RunnerUp | None = None
) -> tuple[ExplainedDecision, ...]:
    """One decision an argument, in the order of serve.yaml; the user's own values say so."""
    made = {decision.field: decision for decision in _chosen(case, chosen, speed, second)}
    for name, value in case.fixed.items():
        made[name] = _decision(name, value, _own_reason(case, name))
    drafting = draft_reason(case, chosen)
    if drafting:
        made["speculative_config"] = _decision("speculative_config", case.fixed["speculative_config"], drafting)
    changes = {name: _CHANGES.get(name, "") for name in made} | dict.fromkeys(case.fixed, "")
    if case.drafts_chosen:
        changes["speculative_config"] = "--set speculative_config=null"
    if changes.get("kv_cache_dtype"):
        changes["kv_cache_dtype"] = _cache_change(case, chosen)
    return tuple(
        ExplainedDecision(**decision.model_dump(), change=changes[name])
        for name, decision in made.items()
        if name not in case.left_to_vllm
    )


def _chosen(case: Case, chosen: Candidate, speed: Estimate | None, second: RunnerUp | None) -> Iterator[Decision]:
    facts, flags = case.facts, case.tables.engine.by_name
    if facts.source == "local":
        yield _decision("served_model_name", served_name(facts.id), "clients name the model, not its path")
    if facts.revision:
        yield _decision("revision", facts.revision, "the commit that the plan was made for")
    yield from _pooling(case)
    yield from _parallel(case, chosen, speed, second)
    yield _decision("dtype", "auto", _dtype_reason(case))
    if case.method is not None and case.method.deprecated and "allow_deprecated_quantization" in flags:
        reason = f"vLLM has deprecated {case.method.name} and starts only where one says so"
        yield _decision("allow_deprecated_quantization", value=True, reason=reason)
    if chosen.cache.groups:
        yield _decision("kv_cache_dtype", "auto", _cache_reason(case, chosen))
    yield from _limits(case, chosen)
    if case.request.trust_remote_code:
        yield _decision("trust_remote_code", value=True, reason="you allow code from the model repository to run")
        if facts.revision:
            yield _decision("code_revision", facts.revision, "the code at the commit that was planned")
    yield from serving_decisions(case)
    if "shutdown_timeout" in flags:
        yield _decision("shutdown_timeout", DRAIN_S, f"running answers get {DRAIN_S} s to finish before the stop")


def _limits(case: Case, chosen: Candidate) -> Iterator[Decision]:
    """The batch limits and the GPU's share; a start of this machine that they rest on is named.

    Where others leave vLLM nothing of the GPU there is no share: it takes none of 0.
    """
    known = known_boot(case, chosen.replica)
    share = (chosen.utilization,) if chosen.utilization.value else ()
    for limit in (chosen.context, chosen.sequences, chosen.tokens, *share):
        made = limit.decision
        rests = known is not None and limit is not chosen.tokens
        yield made.model_copy(update={"reason": f"{made.reason}; {known.words}"}) if rests and known else made


def _parallel(case: Case, chosen: Candidate, speed: Estimate | None, second: RunnerUp | None) -> Iterator[Decision]:
    layout = chosen.layout
    tensor = layout.tensor_parallel_size
    yield _decision("tensor_parallel_size", tensor, _tensor_reason(case, chosen, speed, second))
    if layout.pipeline_parallel_size > 1:
        stages = layout.pipeline_parallel_size
        layers = case.architecture.num_hidden_layers
        yield _decision("pipeline_parallel_size", stages, f"{layers} layers in {stages} stages, one after the other")
    if layout.data_parallel_size > 1:
        replicas = plural(layout.data_parallel_size, "replica")
        reason = f"{replicas}, {chosen.load.concurrency} of the requests in flight on each"
        yield _decision("data_parallel_size", layout.data_parallel_size, reason)
    if layout.enable_expert_parallel:
        reason = f"whole experts, spread over {layout.expert_parallel_size} GPUs"
        family = case.tables.serving.family
        reason += f", as {family.name}'s recipe has it" if family and family.whole_experts else ""
        yield _decision("enable_expert_parallel", value=True, reason=reason)
    if layout.decode_context_parallel_size > 1:
        size = layout.decode_context_parallel_size
        yield _decision("decode_context_parallel_size", size, f"{size} GPUs share each sequence's cache")


def _tensor_reason(case: Case, chosen: Candidate, speed: Estimate | None, second: RunnerUp | None) -> str:
    held = gib_text(chosen.held_bytes)
    if chosen.layout.ranks == 1:
        reason = f"one GPU holds the {held} of weights"
    else:
        reason = f"{held} of weights on each of {chosen.layout.ranks} GPUs"
    if speed is None:
        return reason
    pace = f"{speed.tpot_ms.mean:,.1f} ms a token, {speed.output_tokens_per_s.mean:,.0f} tokens/s"
    targets = case.request.targets
    if targets.tpot_ms is not None and speed.tpot_ms.mean <= targets.tpot_ms:
        pace += f" (target {targets.tpot_ms:g} ms)"
    known = known_bench(case, chosen.layout)
    pace += f" (as benchmarked here on {known.day})" if known else ""
    over = f" ({second.why_not})" if second and second.servers < case.servers else ""
    return f"{reason}: {pace}{_compared(speed, second)}{over}"


def _compared(speed: Estimate, second: RunnerUp | None) -> str:
    """The runner-up on the same GPUs beside the choice; empty where there is none."""
    if second is None:
        return ""
    found = second.estimate
    times = found.output_tokens_per_s.mean / speed.output_tokens_per_s.mean
    return f"; {layout_words(second.layout)}: {found.tpot_ms.mean:,.1f} ms, {times:.2f} x the tokens/s"


def _own_reason(case: Case, name: str) -> str:
    """Why a value of the user's is there, and how the GPU computes with it where it is a number format."""
    method = case.method
    if name == "quantization" and method is not None:
        return f"you set it; {arithmetic(method, case.gpu, case.release, case.quantization).text}"
    if name == "kv_cache_dtype" and case.fixed[name] != "auto":
        return f"you set it; {cache_arithmetic(str(case.fixed[name]), case.gpu).text}"
    return "you set it"


def _pooling(case: Case) -> Iterator[Decision]:
    """The runner of a model that pools, and what vLLM must read otherwise for it."""
    if case.pooling is None:
        return
    yield _decision("runner", "pooling", case.pooling.reason)
    family = case.tables.serving.family
    if family is not None and family.hf_overrides:
        yield _decision("hf_overrides", family.hf_overrides, f"how vLLM serves {family.name}")


def _dtype_reason(case: Case) -> str:
    if case.architecture.dtype == "bfloat16" and not case.gpu.supports_bf16:
        return f"{case.gpu.name} has no bfloat16: vLLM computes in {case.dtype}"
    if case.pooling and case.quantization is None:
        return "the checkpoint's own; pooling of one that stores float32 computes in float16"
    quantization, method = case.quantization, case.method
    if quantization is None or method is None:
        return f"the checkpoint's own {case.architecture.dtype}"
    how = arithmetic(method, case.gpu, case.release, quantization)
    word = "" if how.verdict == "native" else f"{how.verdict}: "
    return f"{case.architecture.dtype}, beside weights stored in {quantization.method}; {word}{how.text}"


def _cache_reason(case: Case, chosen: Candidate) -> str:
    own = case.quantization.kv_cache_dtype if case.quantization else None
    if own:
        return f"the checkpoint's own {own}; {cache_arithmetic(own, case.gpu).text}"
    if chosen.cache.kv_cache_dtype not in {"auto", case.architecture.dtype}:
        return f"vLLM's choice for this model and GPU: {chosen.cache.kv_cache_dtype}"
    fit = f"{plural(chosen.concurrency, 'request')} {'fits' if chosen.concurrency == 1 else 'fit'}"
    room = fit if chosen.verdict != "does_not_fit" else "nothing fits"
    return f"as the model computes ({room}); a smaller one costs accuracy"


def _cache_change(case: Case, chosen: Candidate) -> str:
    """The smaller dtype that could be asked for, with the GPU's verdict on it."""
    if chosen.cache.kv_cache_dtype not in {"auto", case.architecture.dtype}:
        return ""
    found = cache_arithmetic("fp8", case.gpu)
    if found.verdict != "native" and not _runs_fp8_cache(case, chosen):
        return ""
    return f"--kv-cache-dtype fp8 ({found.verdict}: {found.text})"


def _runs_fp8_cache(case: Case, chosen: Candidate) -> bool:
    """Whether a backend of every layer takes an FP8 cache on this GPU: a change that vLLM refuses is no advice."""
    start = case.replica(chosen.layout, default_limits(case)).with_settings(kv_cache_dtype="fp8")
    try:
        cache_dtype_runs(start)
    except RequestError:
        return False
    return True


def served_name(path: str) -> str:
    """The directory's name; of a snapshot in the Hub's cache (models--ORG--NAME/snapshots/COMMIT) the model's id."""
    cached = _SNAPSHOT.search(path)
    return cached[1].replace("--", "/", 1) if cached else path.rstrip("/").rsplit("/", 1)[-1]


def _decision(field: str, value: Any, reason: str) -> Decision:
    return Decision(field=field, value=value, reason=reason)


_CHANGES = {
    "tensor_parallel_size": "--tp, --gpus, --batching-mode, or a target like --tpot-ms",
    "pipeline_parallel_size": "--pp, --gpus or --nodes",
    "data_parallel_size": "--dp, --concurrency or --batching-mode",
    "enable_expert_parallel": "--set enable_expert_parallel=false",
    "kv_cache_dtype": "--kv-cache-dtype",
    "max_model_len": "--max-model-len, --concurrency, or more memory for the cache",
    "max_num_seqs": "--concurrency, --batching-mode or --max-num-seqs",
    "max_num_batched_tokens": "--batching-mode latency, or --max-num-batched-tokens",
    "gpu_memory_utilization": "--reserve-gb, --headroom-gb or --gpu-memory-utilization",
    "revision": "--revision",
}
"""Options that would have another value chosen, by argument."""
