"""Repairs: the smallest changes that make a plan fit, each one planned again and proven."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from generator.errors import GeneratorError
from generator.models.plan import Repair
from generator.planning.arithmetic import Arithmetic, arithmetic
from generator.planning.case import Case
from generator.presenting.text import plural, tokens_text
from generator.units import round_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from generator.models.checkpoint import ModelFacts
    from generator.models.plan import Plan

_MOST = 5
_CONTEXTS = (131072, 65536, 32768, 16384, 8192, 4096, 2048)
_COUNTS = (1, 2, 4, 8, 16)
_OF_CHECKPOINT = ("quantization", "revision", "code_revision")
"""Engine values that belong to one checkpoint, not to its siblings."""


class _Change(NamedTuple):
    """One change of the case, and the flags that make it."""

    kind: str
    title: str
    flags: tuple[str, ...]
    case: Case


def repairs(case: Case, plan: Plan, planned: Callable[[Case], Plan]) -> tuple[Repair, ...]:
    """At most five changes, the least intrusive first; of each kind the first that fits."""
    found: dict[str, Repair] = {}
    for change in _changes(case, plan):
        if len(found) == _MOST:
            break
        if change.kind not in found:
            proven = _proven(change, planned)
            if proven is not None:
                found[change.kind] = Repair(title=change.title, flags=change.flags, effect=_effect(proven))
    return tuple(found.values())


def _proven(change: _Change, planned: Callable[[Case], Plan]) -> Plan | None:
    """The changed plan where it fits; a change that vLLM refuses is no repair."""
    try:
        plan = planned(change.case)
    except GeneratorError:
        return None
    return None if plan.feasibility.verdict == "does_not_fit" else plan


def _effect(plan: Plan) -> str:
    assert plan.kv_cache is not None  # noqa: S101 - a plan that fits has a cache
    longest = tokens_text(plan.kv_cache.at_max_model_len)
    return f"{plan.feasibility.verdict}: context {longest}, room for {plan.feasibility.max_concurrency_at_context}"


def _changes(case: Case, plan: Plan) -> Iterator[_Change]:
    yield from _shorter_context(case)
    yield from _fewer_sequences(case)
    yield from _smaller_cache_dtype(case)
    yield from _more_utilization(case)
    yield from _any_layout(case)
    yield from _online_quantization(case)
    yield from _siblings(case)
    yield from _more_gpus(case)
    yield from _other_gpus(case, plan)


def _shorter_context(case: Case) -> Iterator[_Change]:
    asked = case.fixed.get("max_model_len")
    if asked is None:
        return
    floor = min(case.request.load.request_tokens, asked)
    for length in (*(one for one in _CONTEXTS if floor <= one < asked), round_up(floor, 256)):
        if length < asked:
            flags = ("--max-model-len", str(length))
            yield _Change("context", f"a context of {tokens_text(length)}", flags, _with(case, max_model_len=length))


def _fewer_sequences(case: Case) -> Iterator[_Change]:
    asked = case.fixed.get("max_num_seqs")
    wanted = case.request.load.concurrency
    if asked is not None and asked > wanted:
        flags = ("--max-num-seqs", str(wanted))
        yield _Change("sequences", f"{plural(wanted, 'sequence')} a batch", flags, _with(case, max_num_seqs=wanted))


def _smaller_cache_dtype(case: Case) -> Iterator[_Change]:
    if case.fixed.get("kv_cache_dtype", "auto") == "auto" and case.gpu.supports_fp8:
        flags = ("--kv-cache-dtype", "fp8")
        yield _Change("cache", "an FP8 KV cache", flags, _with(case, kv_cache_dtype="fp8"))


def _more_utilization(case: Case) -> Iterator[_Change]:
    if "gpu_memory_utilization" in case.fixed:
        flags = ("--set", "gpu_memory_utilization=null")
        yield _Change("utilization", "the planner's own utilization", flags, _without(case, "gpu_memory_utilization"))


def _any_layout(case: Case) -> Iterator[_Change]:
    sizes = [name for name in case.fixed if name.endswith("_parallel_size")]
    if sizes:
        flags = tuple(word for name in sizes for word in ("--set", f"{name}=null"))
        yield _Change("layout", "another layout of the same GPUs", flags, _without(case, *sizes))


def _online_quantization(case: Case) -> Iterator[_Change]:
    if case.quantization is None and "quantization" not in case.fixed and case.gpu.supports_fp8:
        flags = ("--quantization", "fp8")
        yield _Change("quantization", "FP8 weights, quantized at load", flags, _with(case, quantization="fp8"))


def _siblings(case: Case) -> Iterator[_Change]:
    """Smaller checkpoints of the same weights that this GPU runs, natively ones first."""
    options = [(facts, found) for facts in case.tables.siblings if (found := _runs(case, facts))]
    for facts, found in sorted(options, key=lambda option: option[1].verdict != "native"):
        bound = [name for name in _OF_CHECKPOINT if name in case.fixed]
        fixed = {name: value for name, value in case.fixed.items() if name not in bound}
        request = case.request.model_copy(update={"model": facts.id, "revision": "", "overrides": fixed})
        changed = Case(
            request=request, facts=facts, cluster=case.cluster, tables=case.tables, fixed=fixed,
            left_to_vllm=case.left_to_vllm,
        )  # fmt: skip
        title = f"the quantized checkpoint {facts.id}, {found.verdict} on {case.gpu.name}"
        flags = ("--model", facts.id, *(word for name in bound for word in ("--set", f"{name}=null")))
        yield _Change("sibling", title, flags, changed)


def _runs(case: Case, facts: ModelFacts) -> Arithmetic | None:
    """How the GPU computes with a checkpoint; None where it cannot."""
    stored = facts.checkpoint.quantization
    rows = [row for row in case.tables.methods if stored and stored.method in (row.name, *row.aliases)]
    found = arithmetic(rows[0], case.gpu, case.release, stored) if rows else None
    return found if found and found.verdict != "unsupported" else None


def _more_gpus(case: Case) -> Iterator[_Change]:
    for count in _COUNTS:
        if count > case.cluster.gpus_per_node:
            flags = ("--gpus", str(count))
            yield _Change("gpus", plural(count, "GPU"), flags, _on(_without_sizes(case), gpus=count))


def _other_gpus(case: Case, plan: Plan) -> Iterator[_Change]:
    """Other GPUs of the same count, those with the least memory that could do first."""
    least = case.gpu.memory_bytes + plan.feasibility.shortfall_bytes
    larger = [gpu for gpu in case.tables.gpus if gpu.memory_bytes > least and gpu.capability >= case.gpu.capability]
    for gpu in sorted(larger, key=lambda gpu: (gpu.memory_bytes, gpu.name)):
        moved = case.cluster.model_copy(update={"gpu": gpu})
        request = case.request.model_copy(update={"gpu": gpu.name, "vram_gb": 0.0})
        changed = case.model_copy(update={"cluster": moved, "request": request})
        yield _Change("gpu", f"{plural(case.cluster.gpus_per_node, 'GPU')} of {gpu.name}", ("--gpu", gpu.name), changed)


def _with(case: Case, **values: object) -> Case:
    return _fixed(case, case.fixed | values)


def _without(case: Case, *names: str) -> Case:
    return _fixed(case, {name: value for name, value in case.fixed.items() if name not in names})


def _without_sizes(case: Case) -> Case:
    return _without(case, *(name for name in case.fixed if name.endswith("_parallel_size")))


def _fixed(case: Case, fixed: dict[str, object]) -> Case:
    request = case.request.model_copy(update={"overrides": fixed})
    return case.model_copy(update={"fixed": fixed, "request": request})


def _on(case: Case, *, gpus: int) -> Case:
    cluster = case.cluster.model_copy(update={"gpus_per_node": gpus})
    return case.model_copy(update={"cluster": cluster, "request": case.request.model_copy(update={"gpus": gpus})})
