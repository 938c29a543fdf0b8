"""Advice: what a colleague would add to the plan; one function each, its docstring is the text.

A function that returns figures lets its docstring speak, `{name}` filled from them; None keeps it silent.
"""

from __future__ import annotations

from inspect import cleandoc
from typing import TYPE_CHECKING

from generator.planning.choosing.choice import has_targets
from generator.planning.serving.features import serving_advisories

if TYPE_CHECKING:
    from collections.abc import Callable

    from generator.models.estimate import Estimate
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case

    Figures = dict[str, object]
    Advisory = Callable[[Case, Candidate], Figures | None]

_UNCOUNTED = frozenset({"hf_overrides", "kv_cache_dtype_skip_layers"})
"""Arguments that move memory or context in ways that the planner does not model."""


def advisories(case: Case, chosen: Candidate) -> tuple[str, ...]:
    """What could be done better, a sentence each."""
    return (
        *_said(
            (
                embedded_facts,
                weightless,
                idle_gpus,
                preset_in_flight,
                many_nodes,
                no_nvlink,
                custom_gpu,
                divided_cache,
                shared_experts,
            ),
            case,
            chosen,
        ),
        *serving_advisories(case),
    )


def warnings(case: Case, chosen: Candidate, speed: Estimate | None) -> tuple[str, ...]:
    """What may go wrong, a sentence each."""
    missed = missed_targets(case, speed)
    return (
        *missed,
        *_said(
            (standard_fields, uncounted, tight_fit, few_states, overloaded, uncalibrated, unified_memory), case, chosen
        ),
    )


def embedded_facts(case: Case, _: Candidate) -> Figures | None:
    """Model facts are embedded, from config.json alone: plan again with the Hub to pin a revision."""
    return {} if case.facts.source == "embedded" else None


def weightless(case: Case, _: Candidate) -> Figures | None:
    """The directory holds no safetensors: weights are counted from config.json alone, and vLLM needs them there."""
    return {} if case.facts.source == "local" and case.facts.checkpoint.total_bytes is None else None


def standard_fields(case: Case, _: Candidate) -> Figures | None:
    """{name} is counted from standard fields alone: no reader here knows its family or its tower. vLLM has to."""
    return {"name": case.architecture.architecture} if case.architecture.generic else None


def idle_gpus(case: Case, chosen: Candidate) -> Figures | None:
    """{idle} of {total} GPUs stay idle: {reason}."""
    idle = case.cluster.total_gpus - chosen.layout.ranks
    reason = "fewer meet the targets" if has_targets(case) else "no layout that vLLM accepts gains from them"
    if case.request.targets.requests_per_s is not None:
        reason = "one replica takes fewer, and the rate counts replicas of it"
    return {"idle": idle, "total": case.cluster.total_gpus, "reason": reason} if idle else None


def preset_in_flight(case: Case, chosen: Candidate) -> Figures | None:
    """A replica is planned for the preset's {asked} requests in flight and holds {room:,}: --concurrency packs more."""
    if case.request.targets.requests_per_s is None or case.request.concurrency or chosen.verdict == "does_not_fit":
        return None
    asked = case.load.concurrency
    return {"asked": asked, "room": chosen.concurrency} if chosen.concurrency >= 2 * asked else None


def many_nodes(case: Case, _: Candidate) -> Figures | None:
    """Each of {nodes} nodes starts it with --nnodes {nodes} --node-rank N --master-addr HEAD; --headless if N > 0."""
    nodes = case.cluster.nodes
    return {"nodes": nodes} if nodes > 1 and "nnodes" in case.tables.engine.by_name else None


def no_nvlink(case: Case, chosen: Candidate) -> Figures | None:
    """The {tp} GPUs of a tensor-parallel group talk over PCIe: NVLink, or fewer GPUs a group, is faster."""
    tensor = chosen.layout.tensor_parallel_size
    return {"tp": tensor} if tensor > 1 and case.cluster.link == "pcie" else None


def custom_gpu(case: Case, _: Candidate) -> Figures | None:
    """The GPU is of your own description: its speed is unknown, and its memory is taken as you gave it."""
    return {} if case.gpu.name.startswith("custom") else None


def divided_cache(_: Case, chosen: Candidate) -> Figures | None:
    """Decode context parallelism: its exchanges are timed as all-reduces, which no published run confirms."""
    return {} if chosen.layout.decode_context_parallel_size > 1 else None


def shared_experts(case: Case, chosen: Candidate) -> Figures | None:
    """Replicas that share experts step together: how fast is estimated without a published run of such a layout."""
    return {} if case.architecture.is_moe and chosen.layout.data_parallel_size > 1 else None


def uncounted(case: Case, _: Candidate) -> Figures | None:
    """Passed on to vLLM as you set it, and not counted in this plan: {names}."""
    names = sorted(_UNCOUNTED & case.fixed.keys())
    return {"names": ", ".join(names)} if names else None


def tight_fit(_: Case, chosen: Candidate) -> Figures | None:
    """Fits at the expected values only: a start may fail by {missing} MiB; lower the context or add GPUs."""
    if chosen.verdict != "tight":
        return None
    needed = max(chosen.cache.min_bytes_to_start(int(chosen.context.value)))
    missing = needed - chosen.memory.kv_cache_available_bytes.low
    return {"missing": missing >> 20} if missing > 0 else None


def few_states(_: Case, chosen: Candidate) -> Figures | None:
    """Only {blocks:,} cache blocks are sure: vLLM stops where max_num_seqs, {wanted:,}, is more, a state in each."""
    blocks = chosen.sure_blocks
    return {"wanted": chosen.state_blocks, "blocks": blocks} if chosen.state_blocks > blocks else None


def overloaded(_: Case, chosen: Candidate) -> Figures | None:
    """Room for {room:,} of the workload's requests at once, {asked:,} are asked for: the rest wait."""
    if chosen.verdict == "does_not_fit" or chosen.carries_load:
        return None
    asked = chosen.load.concurrency * chosen.layout.data_parallel_size
    return {"room": chosen.concurrency, "asked": asked}


def uncalibrated(_: Case, chosen: Candidate) -> Figures | None:
    """The estimates beside weights and cache are not calibrated for {limits}."""
    limits = chosen.memory.calibration.partition("not calibrated for ")[2]
    return {"limits": limits} if limits else None


def unified_memory(case: Case, _: Candidate) -> Figures | None:
    """The CPU shares this memory: page cache and other programs move the budget by gibibytes."""
    return {} if case.gpu.unified_memory else None


def missed_targets(case: Case, speed: Estimate | None) -> tuple[str, ...]:
    """One sentence for each stated target that the estimate misses at its mean."""
    targets = case.request.targets
    if speed is None:
        stated = targets.ttft_ms or targets.tpot_ms or targets.requests_per_s
        return ("The targets are not checked: this GPU's speed is not known.",) if stated else ()
    pairs = (
        ("time to first token", targets.ttft_ms, speed.ttft_ms.mean),
        ("time per output token", targets.tpot_ms, speed.tpot_ms.mean),
    )
    return tuple(
        f"The target of {asked:g} ms {name} is missed: {found:.0f} ms are expected."
        for name, asked, found in pairs
        if asked is not None and found > asked
    )


def _said(sentences: tuple[Advisory, ...], case: Case, chosen: Candidate) -> tuple[str, ...]:
    pairs = ((sentence, sentence(case, chosen)) for sentence in sentences)
    return tuple(
        cleandoc(sentence.__doc__ or "").format(**figures) for sentence, figures in pairs if figures is not None
    )
