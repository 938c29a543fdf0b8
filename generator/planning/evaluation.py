"""evaluated(): one layout at the limits and the share of the GPU that suit it best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.parallelism import Layout
from generator.planning import limits
from generator.planning.attempts import attempts, fewer_sequences, shorter_steps
from generator.planning.candidate import worked_out
from generator.planning.drafts.draft import draft_weights
from generator.planning.memory.lora import with_adapters
from generator.planning.memory.overhead import rotary_tables
from generator.planning.memory.shares import raised_utilizations
from generator.planning.speed.estimates import speed
from generator.planning.weights.rank import DTYPES, RankWeights, rank_weights
from generator.planning.weights.sharding import encoders_whole
from generator.planning.weights.tensors import measured_weights

if TYPE_CHECKING:
    from generator.planning.attempts import Attempt
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case

_LONG = 32768
"""Tokens of context that steps are not shortened for: prompts of more are few, and read in many steps."""
_TOLD = 0.02
"""Share below which estimates do not tell two figures apart."""
_TIMES = 2
"""Times that a context must grow to be worth shorter steps."""


def evaluated(case: Case, layout: Layout) -> Candidate:
    """The layout as `evaluate` makes it, worked out once for cases of one load beside each other.

    Raises:
        RequestError: vLLM would refuse the layout or a value.
    """
    known, key = case.common.candidates, (layout, case.load)
    if key not in known:
        known[key] = evaluate(case, layout)
    made: Candidate = known[key]
    return made


def evaluate(case: Case, layout: Layout) -> Candidate:
    """The layout at the most generous limits that fit; where none does, at those that are safest and serve most.

    Raises:
        RequestError: vLLM would refuse the layout or a value.
    """
    weights = _weights(case, layout)
    made = _at_share(case, layout, weights, case.tables.engine.default_gpu_memory_utilization)
    shares = raised_utilizations(case)
    if not shares or not _wants_more(case, made):
        return made
    largest = _at_share(case, layout, weights, shares[-1])
    gained = (shares[-1] - float(made.utilization.value)) * made.memory.gpu_total_bytes.expected
    if made.shortfall_bytes > gained or (_wants_more(case, largest) and not largest.doubt):
        return min(made, largest, key=_need)  # no smaller share holds more than the largest
    raised = []
    for share in shares[:-1]:
        raised.append(_at_share(case, layout, weights, share))
        if not _wants_more(case, raised[-1]):
            return raised[-1]
    return largest if not _wants_more(case, largest) else min(made, *raised, largest, key=_need)


def _wants_more(case: Case, made: Candidate) -> bool:
    """Whether it does not surely start, or lacks room for a workload that the user states."""
    return made.verdict != "fits" or (case.states_load and not made.carries_load)


def _need(candidate: Candidate) -> tuple[object, ...]:
    """What shares of the GPU are compared by where none is enough: the least short, then what holds most."""
    return candidate.doubt, not candidate.carries_load, candidate.shortfall_bytes, -candidate.concurrency


def _at_share(case: Case, layout: Layout, weights: RankWeights, share: float) -> Candidate:
    """The layout at the most generous limits that fit in a share of the GPU, else at the safest that serve most."""
    best: Candidate | None = None
    for attempt in attempts(case, layout):
        made = _settled(case, layout, weights, attempt._replace(share=share))
        if made.is_hopeless:
            return made
        if made.verdict == "fits" and made.carries_load:
            return _with_shorter_steps(case, weights, attempt._replace(share=share), made)
        if best is None or _rank(made) < _rank(best):
            best = made
    assert best is not None  # noqa: S101 - there is always one attempt
    for attempt in fewer_sequences(case, layout) if _lacks_reserves(best) else ():
        made = _settled(case, layout, weights, attempt._replace(share=share))
        if _rank(made) < _rank(best):
            best = made
    return best


def _with_shorter_steps(case: Case, weights: RankWeights, attempt: Attempt, made: Candidate) -> Candidate:
    """What the attempt made, or the same with shorter steps where these more than double a short context."""
    context, layout = int(made.context.value), made.layout
    short = None if context >= min(case.model_context, _LONG) else shorter_steps(case, layout, attempt, context)
    if short is None:
        return made
    found = _settled(case, layout, weights, short)
    longer = int(found.context.value) > _TIMES * context and found.carries_load and not found.doubt
    return found if longer and _is_as_fast(case, found, made) else made


def _is_as_fast(case: Case, found: Candidate, made: Candidate) -> bool:
    """Whether estimates do not tell the two apart at the workload, in rate and first token."""
    short, long = speed(case, found), speed(case, made)
    if short is None or long is None:
        return True
    as_many = short.output_tokens_per_s.mean >= long.output_tokens_per_s.mean * (1 - _TOLD)
    return as_many and short.ttft_ms.mean <= long.ttft_ms.mean * (1 + _TOLD)


def _settled(case: Case, layout: Layout, weights: RankWeights, attempt: Attempt) -> Candidate:
    """The attempt with as many sequences as the cache carries and has states for, where the user leaves it open."""
    made = worked_out(case, layout, weights, attempt)
    if not case.chooses("max_num_seqs"):
        return made
    carried = made.concurrency // layout.data_parallel_size
    if attempt.roomy and made.verdict != "does_not_fit" and carried < int(made.sequences.value):
        fewer = limits.carried_sequences(made.load, carried, int(made.sequences.value))
        if fewer.value < made.sequences.value:
            attempt = attempt._replace(sequences=fewer)
            made = worked_out(case, layout, weights, attempt)
    while 0 < made.sure_blocks < made.state_blocks:
        fewer = limits.sequences_with_states(made.sure_blocks, int(made.sequences.value))
        made = worked_out(case, layout, weights, attempt._replace(sequences=fewer))
    return made


def _weights(case: Case, layout: Layout) -> RankWeights:
    """Weights of every stage, worked out once for replicas that each hold the same."""
    known, key = case.common.weights, case.engine_of(layout)
    if key not in known:
        known[key] = _loaded(case, layout)
    return known[key]


def _loaded(case: Case, layout: Layout) -> RankWeights:
    """Weights of every stage, corrected by the checkpoint's headers where they are known, and adapters."""
    weights = rank_weights(
        case.architecture,
        case.on_gpu,
        layout,
        dtype=case.dtype,
        capability=case.gpu.capability,
        drafts=case.drafts,
        language_model_only=case.language_model_only,
        encoders_whole=encoders_whole(case.model_class, case.fixed),
        encoders_first=case.vllm.has("encoders_on_first_stage"),
        triton=case.vllm.has("bundles_triton_kernels"),
    )
    if case.on_gpu == case.quantization:
        weights = measured_weights(weights, case.architecture, case.facts.checkpoint, dtype=case.dtype)
    return _with_draft(case, layout, with_adapters(case, layout, weights))


def _with_draft(case: Case, layout: Layout, weights: RankWeights) -> RankWeights:
    """The weights with those of the case's draft model on the last pipeline stage; unchanged where there is none."""
    draft = case.draft
    if draft is None:
        return weights
    dtype = case.dtype
    size = draft_weights(draft, case.architecture, layout, capability=case.gpu.capability, dtype=dtype)
    if draft.method == "draft_model":
        size += rotary_tables(draft.architecture, DTYPES[dtype].bytes_for(1), case.vllm)
    *before, last = weights.stages
    return RankWeights(stages=(*before, last.grown("draft", size)))


def _lacks_reserves(best: Candidate) -> bool:
    """Whether what admitted sequences reserve could be what a safe start lacks."""
    reserves = best.memory.activation_peak_bytes.expected + best.memory.cuda_graph_bytes.expected
    return best.verdict != "fits" and best.shortfall_bytes <= reserves


def _rank(candidate: Candidate) -> tuple[int, bool, int]:
    """Safest first, then what carries the workload; of what is in doubt, what holds most of the admitted requests."""
    admitted = int(candidate.sequences.value) * candidate.layout.data_parallel_size
    held = min(candidate.concurrency, admitted) if candidate.doubt else 0
    return candidate.doubt, not candidate.carries_load, -held
