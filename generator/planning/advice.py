"""Advice: what a colleague would add to the plan; one function and its text each.

A function that returns figures lets its text speak, `{name}` filled from them; None keeps it silent. Advice is given in
the order in which it stands here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.models.estimate import Estimate
from generator.planning.candidate import ASSUMED, whose_context
from generator.planning.choosing.choice import has_targets
from generator.planning.hardware_advice import HARDWARE
from generator.planning.memory import overhead
from generator.planning.memory.evidence import encoder_doubt, uncalibrated
from generator.planning.memory.unbudgeted import in_use
from generator.planning.overridden import uncounted
from generator.planning.rules.checks import check_layout
from generator.planning.rules.code import lacks_tokenizer_code
from generator.planning.sentence import Figures, Sentence
from generator.planning.sentence import says as _says
from generator.planning.serving.features import serving_advisories
from generator.presenting.text import duration_text, gib_text

if TYPE_CHECKING:
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case

"""Arguments that move memory or context in ways that the planner does not model."""


def advisories(case: Case, chosen: Candidate) -> tuple[str, ...]:
    """What could be done better, a sentence each."""
    return (*_said("advisory", case, chosen), *serving_advisories(case, chosen.layout))


def warnings(case: Case, chosen: Candidate, speed: Estimate | None) -> tuple[str, ...]:
    """What may go wrong, a sentence each."""
    return (*_missed_targets(case, speed), *_said("warning", case, chosen))


@_says("advisory", "Model facts are embedded, from config.json alone: plan again with the Hub to pin a revision.")
def _embedded_facts(case: Case, _: Candidate) -> Figures | None:
    return {} if case.facts.source == "embedded" else None


@_says(
    "advisory",
    "Layers, weights and caches are as vLLM {built_by} built the model (--facts), not as a reader of ours: dump "
    "them again for another release.",
)
def _facts_of_vllm(case: Case, _: Candidate) -> Figures | None:
    return {"built_by": case.facts.built_by} if case.facts.built_by else None


@_says(
    "advisory",
    "This layout has --enable-expert-parallel, which nobody asked for: without it vLLM refuses it, as {why}.",
)
def _whole_experts(case: Case, chosen: Candidate) -> Figures | None:
    layout = chosen.layout
    if not layout.enable_expert_parallel or "enable_expert_parallel" in case.fixed:
        return None
    try:
        check_layout(case, layout.model_copy(update={"enable_expert_parallel": False}))
    except RequestError as error:
        return {"why": error.args[0]}
    return None


@_says(
    "advisory",
    "The directory holds no safetensors: weights are counted from config.json alone, and vLLM needs them there.",
)
def _weightless(case: Case, _: Candidate) -> Figures | None:
    return {} if case.facts.source == "local" and case.facts.checkpoint.total_bytes is None else None


@_says(
    "warning",
    "A quantization is declared without its quant_method, and by no producer `modelopt`: vLLM sets it aside and loads "
    "weights of 16 bits, as is planned. Where they are stored smaller, the start ends on their shapes: name the "
    "method.",
)
def _nameless(case: Case, _: Candidate) -> Figures | None:
    return {} if case.facts.checkpoint.nameless else None


@_says(
    "warning",
    "{name} brings its tokenizer as code of its own repository (tokenizer_config.json: auto_map). Without consent vLLM "
    "stops, or takes a generic one in which the model's marks are wrong tokens: read the code, then add "
    "--trust-remote-code.",
)
def _tokenizer_code(case: Case, _: Candidate) -> Figures | None:
    return {"name": case.facts.id} if lacks_tokenizer_code(case) else None


@_says(
    "warning",
    "vLLM {release} loads this model whole: its Model Runner V2 does not follow cpu_offload_gb. Pin {first} or newer.",
)
def _offload_ignored(case: Case, _: Candidate) -> Figures | None:
    ignored = case.fixed.get("cpu_offload_gb") and not overhead.offloads_weights(case.architecture, case.vllm)
    return {"release": case.vllm, "first": case.vllm.since["runner_v2_offloads_weights"]} if ignored else None


@_says(
    "warning",
    "{name} is counted from standard fields alone: no reader here knows its family or its tower. vLLM has to.",
)
def _standard_fields(case: Case, _: Candidate) -> Figures | None:
    return {"name": case.architecture.architecture} if case.architecture.generic else None


@_says("advisory", "{idle} of {total} GPUs stay idle: {reason}.")
def _idle_gpus(case: Case, chosen: Candidate) -> Figures | None:
    idle = case.cluster.total_gpus - chosen.layout.ranks
    reason = (
        "fewer meet the targets"
        if has_targets(case)
        else "this layout is best at this workload; alternatives say what others gain"
    )
    if case.gpu.slice_of:
        reason = "CUDA shows a process one MIG slice: the others serve copies of their own"
    if case.request.targets.requests_per_s is not None:
        reason = "one replica takes fewer, and the rate counts replicas of it"
    return {"idle": idle, "total": case.cluster.total_gpus, "reason": reason} if idle else None


@_says(
    "advisory",
    "{number} requests in flight on each replica take the fewest GPUs: {what}; --concurrency states others.",
)
def _in_flight(case: Case, _: Candidate) -> Figures | None:
    targets = case.request.targets
    bounded = targets.ttft_ms is not None or targets.tpot_ms is not None
    what = "more would miss the targets or the cache" if bounded else "--tpot-ms or --ttft-ms bounds them"
    return {"number": case.in_flight, "what": what} if case.in_flight else None


@_says(
    "advisory",
    "Each of {nodes} nodes starts it with --nnodes {nodes} --node-rank N --master-addr HEAD; --headless if N > 0.",
)
def _many_nodes(case: Case, _: Candidate) -> Figures | None:
    nodes = case.cluster.nodes
    return {"nodes": nodes} if nodes > 1 and "nnodes" in case.tables.engine.by_name else None


@_says(
    "advisory",
    "The plan is of this server alone: what its connector sends to other servers is neither counted nor timed. Prefill "
    "and decode on servers of their own are not planned as a pair, since no run of one with its link and times is "
    "among the calibration rows; with such rows each half would be planned for its own target.",
)
def _connected(case: Case, _: Candidate) -> Figures | None:
    return {} if case.fixed.get("kv_transfer_config") else None


@_says("advisory", "The {tp} GPUs of a tensor-parallel group talk over PCIe: NVLink, or fewer GPUs a group, is faster.")
def _no_nvlink(case: Case, chosen: Candidate) -> Figures | None:
    tensor = chosen.layout.tensor_parallel_size
    return {"tp": tensor} if tensor > 1 and case.cluster.link == "pcie" else None


@_says("advisory", "The GPU is of your own description: its speed is unknown, and its memory is taken as you gave it.")
def _custom_gpu(case: Case, _: Candidate) -> Figures | None:
    return {} if case.gpu.name.startswith("custom") else None


@_says(
    "advisory", "Decode context parallelism: its exchanges are timed as all-reduces; one published pair of runs has it."
)
def _divided_cache(_: Case, chosen: Candidate) -> Figures | None:
    return {} if chosen.layout.decode_context_parallel_size > 1 else None


@_says(
    "advisory",
    "Replicas that share experts step together: how fast is estimated without a published run of such a layout.",
)
def _shared_experts(case: Case, chosen: Candidate) -> Figures | None:
    return {} if case.architecture.is_moe and chosen.layout.data_parallel_size > 1 else None


@_says(
    "warning",
    "config.json of {name} names no context: {tokens} tokens are what its class in vLLM assumes. Where its model card "
    "says more, state it: --set 'hf_overrides={{\"max_position_embeddings\": N}}'.",
)
def _assumed_context(case: Case, _: Candidate) -> Figures | None:
    if whose_context(case) != ASSUMED:
        return None
    return {"name": case.facts.id, "tokens": f"{case.model_context:,}"}


@_says("warning", "Passed on to vLLM as you set it, and not counted in this plan: {names}.")
def _uncounted(case: Case, _: Candidate) -> Figures | None:
    names = uncounted(case.fixed)
    return {"names": ", ".join(names)} if names else None


@_says("warning", "Fits at the expected values only: a start may fail by {missing} MiB; lower the context or add GPUs.")
def _tight_fit(_: Case, chosen: Candidate) -> Figures | None:
    if chosen.verdict != "tight":
        return None
    needed = max(chosen.cache.min_bytes_to_start(int(chosen.context.value)))
    missing = needed - chosen.memory.kv_cache_available_bytes.low
    return {"missing": missing >> 20} if missing > 0 else None


@_says(
    "warning",
    "Only {blocks:,} cache blocks are sure: vLLM stops where max_num_seqs, {wanted:,}, is more, a state in each.",
)
def _few_states(_: Case, chosen: Candidate) -> Figures | None:
    blocks = chosen.sure_blocks
    return {"wanted": chosen.state_blocks, "blocks": blocks} if chosen.state_blocks > blocks else None


@_says(
    "warning", "The start asks for {share:g} of the GPU: {why}. Lower it, or state with --reserve-gb what others hold."
)
def _crowded(case: Case, chosen: Candidate) -> Figures | None:
    if chosen.start_risk == "LOW" or case.gpu.unified_memory or not chosen.utilization.value:
        return None
    share, table = float(chosen.utilization.value), case.tables.overheads
    found = in_use(case.cluster, table)
    why = (
        f"{gib_text(found.low)} to {gib_text(found.high)} of such a card were in use when starts looked, and graphs, "
        "tables and the sampler's copies come after"
    )
    if share > table.most_utilization:
        why = f"no public start is known to have survived more than {table.most_utilization:g}"
    return {"share": share, "why": why}


@_says("warning", "Room for {room:,} of the workload's requests at once, {asked:,} are asked for: the rest wait.")
def _overloaded(_: Case, chosen: Candidate) -> Figures | None:
    if chosen.verdict == "does_not_fit" or chosen.carries_load:
        return None
    asked = chosen.load.concurrency * chosen.layout.data_parallel_size
    return {"room": chosen.concurrency, "asked": asked}


@_says(
    "warning",
    "The estimates beside weights and cache are not calibrated for {limits}: their ranges are wider, and the verdict "
    "rests on their low end.",
)
def _uncalibrated(case: Case, chosen: Candidate) -> Figures | None:
    limits = uncalibrated(chosen.replica, case.tables.overheads)
    return {"limits": ", ".join(limits)} if limits else None


@_says(
    "warning",
    "The profile's peak, up to {most}, is its encoder's, by one law for encoders of every width: the cache may "
    "come out smaller. --set language_model_only=true leaves the encoder out.",
)
def _little_known_encoder(case: Case, chosen: Candidate) -> Figures | None:
    if not encoder_doubt(chosen.replica, case.tables.overheads):
        return None
    return {"most": gib_text(overhead.activation_peak(chosen.replica, case.tables.overheads).high)}


@_says("warning", "The CPU shares this memory: page cache and other programs move the budget by gibibytes.")
def _unified_memory(case: Case, _: Candidate) -> Figures | None:
    return {} if case.gpu.unified_memory else None


def _missed_targets(case: Case, speed: Estimate | None) -> tuple[str, ...]:
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
        f"The target of {asked:g} ms {name} is missed: {duration_text(found)} are expected."
        for name, asked, found in pairs
        if asked is not None and found > asked
    )


def _said(kind: str, case: Case, chosen: Candidate) -> tuple[str, ...]:
    pairs = ((one.text, one.when(case, chosen)) for one in SENTENCES if one.kind == kind)
    return tuple(text.format(**figures) for text, figures in pairs if figures is not None)


SENTENCES = (*(one for one in tuple(globals().values()) if isinstance(one, Sentence)), *HARDWARE)
"""Everything that may be said of a plan, in the order in which it stands above; what is of single GPUs comes last."""
