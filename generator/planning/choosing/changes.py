"""Changes of a case that may mend it, those that change least first.

The user's own limits are given back, then come the engine's modes, what costs accuracy, and other hardware.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from generator.models.hardware import GPU, by_memory
from generator.models.parallelism import Layout
from generator.planning.choosing.change import ACCURACY, Change, moved, unset, without
from generator.planning.choosing.smaller import online_quantization, siblings
from generator.planning.choosing.variants import cache_variants, context_parallel_variants, graph_variants, with_values
from generator.presenting.text import plural, tokens_text
from generator.units import ceil_div, round_up

if TYPE_CHECKING:
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case
    from generator.planning.choosing.scored import Scored

_CONTEXTS = (131072, 65536, 32768, 16384, 8192, 4096, 2048)
_COUNTS = (1, 2, 4, 8)
_NODES = (2, 4)
_SHORT_TOKENS = 2048
"""Prompt tokens of a step that keeps the gaps between streamed tokens short."""
_OWN_LIMITS = {
    "gpu_memory_utilization": "the planner's own utilization",
    "max_num_seqs": "as many sequences a batch as the planner takes",
    "max_num_batched_tokens": "as many tokens a step as the planner takes",
    "enforce_eager": "CUDA graphs",
}
_DRAFTING = ("speculative_config", "spec_method", "spec_model", "spec_tokens")


def changes(case: Case, chosen: Scored, copies: int = 0) -> Iterator[Change]:
    """Every change that may make a case fit, or meet what is asked for."""
    unfit = chosen.candidate.verdict == "does_not_fit"
    if chosen.candidate.doubt:
        yield from _shorter_context(case)
        yield from _fewer_sequences(case, chosen.candidate)
        yield from _no_drafts(case)
    yield from _own_limits_back(case)
    yield from _any_layout(case)
    layout = chosen.candidate.layout
    yield from _divided_caches(case, layout)
    yield from _no_graphs(case, layout) if unfit else _short_steps(case, chosen.candidate)
    yield from (change._replace(layout=layout if unfit else None) for change in _smaller_cache(case))
    yield from online_quantization(case)
    yield from siblings(case)
    if case.servers > 1:
        yield _fewer_servers(case)
    else:
        yield from _copies(case, copies)
        yield from _more_gpus(case, nodes_too=unfit or case.cluster.gpus_per_node >= _COUNTS[-1])
    yield from _larger_gpus(case, chosen) if unfit else _faster_gpus(case, chosen)


def _shorter_context(case: Case) -> Iterator[Change]:
    asked = case.fixed.get("max_model_len")
    if asked is None:
        return
    floor = min(case.request.load.request_tokens, asked)
    for length in (*(one for one in _CONTEXTS if floor <= one < asked), round_up(floor, 256)):
        if length < asked:
            flags = ("--max-model-len", str(length))
            changed = with_values(case, {"max_model_len": length})
            yield Change("context", f"a context of {tokens_text(length)}", flags, changed)


def _fewer_sequences(case: Case, chosen: Candidate) -> Iterator[Change]:
    """As many sequences as the cache surely has states for, else as many as the workload keeps in flight."""
    asked, wanted = int(chosen.sequences.value), case.request.load.concurrency
    fewer = [chosen.sure_blocks] if chosen.sure_blocks < chosen.state_blocks else []
    fewer += [wanted] if "max_num_seqs" in case.fixed else []
    for number in fewer:
        if 0 < number < asked:
            flags = ("--max-num-seqs", str(number))
            changed = with_values(case, {"max_num_seqs": number})
            yield Change("sequences", f"{plural(number, 'sequence')} a batch", flags, changed)


def _no_drafts(case: Case) -> Iterator[Change]:
    """The memory of a draft model or head back, for a step that gives each request one token."""
    stated = tuple(name for name in case.request.overrides if name.replace("-", "_") in _DRAFTING)
    if stated and case.speculation.method:
        yield Change("drafts", "no drafted tokens", unset(*stated), without(case, *_DRAFTING))


def _own_limits_back(case: Case) -> Iterator[Change]:
    """Limits of the user's, each left to the planner."""
    for name, title in _OWN_LIMITS.items():
        if name in case.fixed:
            yield Change(name, title, unset(name), without(case, name))


def _any_layout(case: Case) -> Iterator[Change]:
    sizes = _sizes(case)
    if sizes:
        yield Change("layout", "another layout of the same GPUs", unset(*sizes), without(case, *sizes))


def _copies(case: Case, copies: int) -> Iterator[Change]:
    """The stated requests spread over copies of the deployment behind a router."""
    if copies and case.request.concurrency and case.request.targets.requests_per_s is None:
        share = ceil_div(case.request.concurrency, copies)
        request = case.request.model_copy(update={"concurrency": share})
        title = f"{copies} copies of all this behind a router, {plural(share, 'request')} on each"
        yield Change("copies", title, ("--concurrency", str(share)), case.changed(request=request))


def _fewer_servers(case: Case) -> Change:
    """One server on all GPUs of the node."""
    total = case.cluster.gpus_per_node * case.servers
    cluster = case.cluster.model_copy(update={"gpus_per_node": total})
    return Change(
        "servers",
        "one server on all GPUs",
        ("--servers", "1"),
        moved(case.changed(servers=1), cluster, {"servers": 1}),
    )


def _divided_caches(case: Case, layout: Layout) -> Iterator[Change]:
    """Caches that ranks share: room for more tokens, and less to read of each sequence."""
    for variant in context_parallel_variants(case, layout):
        divided = layout.model_copy(update=variant.values)
        title = f"{variant.title}: {variant.costs}"
        yield Change("divided cache", title, variant.flags, with_values(case, variant.values), divided)


def _no_graphs(case: Case, layout: Layout) -> Iterator[Change]:
    for variant in graph_variants(case):
        title = f"{variant.title}: {variant.costs}"
        yield Change("graphs", title, variant.flags, with_values(case, variant.values), layout)


def _short_steps(case: Case, chosen: Candidate) -> Iterator[Change]:
    """Steps of few prompt tokens, so that running requests wait less for the prompts of others."""
    if "max_num_batched_tokens" in case.fixed or int(chosen.tokens.value) <= _SHORT_TOKENS:
        return
    flags = ("--max-num-batched-tokens", str(_SHORT_TOKENS))
    changed = with_values(case, {"max_num_batched_tokens": _SHORT_TOKENS})
    yield Change("steps", f"steps of at most {_SHORT_TOKENS:,} tokens", flags, changed)


def _smaller_cache(case: Case) -> Iterator[Change]:
    for variant in cache_variants(case):
        yield Change("cache", f"{variant.title}, {ACCURACY}", variant.flags, with_values(case, variant.values))


def _more_gpus(case: Case, *, nodes_too: bool) -> Iterator[Change]:
    """More GPUs in the node, then more nodes; sizes of the user's that would not use them are given back."""
    sizes = _sizes(case)
    own, nodes = case.cluster.gpus_per_node, case.cluster.nodes
    most = max(own, _COUNTS[-1])
    wider = [(count, nodes) for count in _COUNTS if count > own]
    more_nodes = [(most, more) for more in _NODES if nodes_too and more > nodes]
    for count, many in (*wider, *more_nodes):
        flags = (*(("--gpus", str(count)) if count != own else ()), *(("--nodes", str(many)) if many != nodes else ()))
        where = plural(count, "GPU") if many == 1 else f"{plural(many, 'node')} of {count} GPUs"
        cluster = case.cluster.model_copy(update={"gpus_per_node": count, "nodes": many})
        changed = moved(without(case, *sizes), cluster, {"gpus": count, "nodes": many})
        yield Change("gpus", where, (*flags, *unset(*sizes)), changed)


def _larger_gpus(case: Case, chosen: Scored) -> Iterator[Change]:
    """Other GPUs of the same count that read their memory as fast, those with the least that could do first."""
    least = case.gpu.memory_bytes + chosen.candidate.shortfall_bytes
    pace = case.gpu.bandwidth_bytes_per_s or 0
    larger = [
        gpu
        for gpu in case.tables.gpus
        if gpu.memory_bytes > least
        and gpu.capability >= case.gpu.capability
        and _same_maker(case, gpu)
        and (gpu.bandwidth_bytes_per_s or pace) >= pace
    ]
    for gpu in sorted(larger, key=by_memory):
        yield _on(case, gpu, chosen.candidate.layout)


def _same_maker(case: Case, gpu: GPU) -> bool:
    """Whether the same build of vLLM serves both, CUDA's or ROCm's."""
    return gpu.capability.is_rocm == case.gpu.capability.is_rocm


def _faster_gpus(case: Case, chosen: Scored) -> Iterator[Change]:
    """Other GPUs of the same count, the slowest that could do first."""
    faster = [(gpu.bandwidth_bytes_per_s or 0, gpu.name, gpu) for gpu in case.tables.gpus]
    for pace, _, gpu in sorted(faster, key=lambda one: one[:2]):
        if pace > (case.gpu.bandwidth_bytes_per_s or 0) and _same_maker(case, gpu):
            yield _on(case, gpu, chosen.candidate.layout)


def _on(case: Case, gpu: GPU, layout: Layout) -> Change:
    cluster = case.cluster.model_copy(update={"gpu": gpu})
    memory = ("--vram-gb", "0") if case.request.vram_gb else ()
    title = f"{plural(case.cluster.total_gpus, 'GPU')} of {gpu.name}"
    on_these = moved(case, cluster, {"gpu": gpu.name, "vram_gb": 0.0})
    return Change("gpu", title, ("--gpu", gpu.name, *memory), on_these, layout)


def _sizes(case: Case) -> tuple[str, ...]:
    return tuple(name for name in case.fixed if name.endswith("_parallel_size"))
