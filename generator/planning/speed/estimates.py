"""Estimates of a candidate: speed under the workload, and what it meets of the targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import UnknownFactError
from generator.models.estimate import Estimate, Throughput
from generator.models.speed import Drafting, Footprint, Limits, Scenario
from generator.planning.kv_cache.selection import prefix_caching
from generator.planning.speed.evidence import doubt_of
from generator.planning.speed.footprint import footprint
from generator.planning.speed.measured import as_benchmarked
from generator.planning.speed.passes import passes
from generator.planning.speed.roofline import estimate

if TYPE_CHECKING:
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case

_UNDRAFTED = "as without drafts: how many of their tokens are kept is not known"
_NO_PREFIXES = "prefix caching is off, so that no prompt begins in it"
_BYTE_CACHES = ("fp8", "int8", "nvfp4", "int4")


def speed(case: Case, chosen: Candidate, *, in_flight: int = 0) -> Estimate | None:
    """The estimate of a candidate under the workload; at `in_flight` requests at once on a server where given.

    None where the GPU's figures are unknown or nothing fits: a figure that is missing is not guessed.
    """
    if _nothing_runs(case, chosen):
        return None
    try:
        return _estimated(case, chosen, in_flight or case.load.concurrency)
    except UnknownFactError:
        return None


def of_all(found: Estimate, servers: float) -> Estimate:
    """The estimate of one of so many equal servers, with the rates of all; a part of one is one that is partly busy."""
    if servers == 1:
        return found
    rates = {name: _times(getattr(found, name), servers) for name in ("output_tokens_per_s", "requests_per_s")}
    return found.model_copy(update=rates)


def _times(rate: Throughput, number: float) -> Throughput:
    return Throughput(mean=rate.mean * number, low=rate.low * number, high=rate.high * number)


def missing(case: Case, chosen: Candidate) -> str:
    """Why there is no estimate, in one clause; empty where there is one."""
    if _nothing_runs(case, chosen):
        return "nothing runs that could be timed" if case.tables.speed else "no speed table was given"
    try:
        _estimated(case, chosen, case.load.concurrency)
    except UnknownFactError as error:
        return f"not calibrated for {case.gpu.name}: {error}"
    return ""


def _nothing_runs(case: Case, chosen: Candidate) -> bool:
    return case.tables.speed is None or chosen.verdict == "does_not_fit" or chosen.concurrency == 0


def _estimated(case: Case, chosen: Candidate, in_flight: int) -> Estimate | None:
    table = case.tables.speed
    if table is None:
        return None
    held = _footprint(case, chosen)
    scenario, limits = _scenario(case, chosen, in_flight), _limits(chosen)
    doubt = doubt_of(case, chosen.layout)
    found = (passes if case.pooling else estimate)(
        held, case.gpu, scenario, limits, table.widened(doubt.half_width), link=case.cluster.link, release=case.release
    )
    if not case.pooling:
        found = as_benchmarked(case, chosen.layout, found, in_flight)
    found = of_all(found, case.servers)
    if doubt.why:
        found = found.model_copy(update={"calibration": f"{found.calibration}; {doubt.why}"})
    if case.load.prefix_hit_ratio and not scenario.prefix_hit_ratio:
        found = found.model_copy(update={"calibration": f"{found.calibration}; {_NO_PREFIXES}"})
    if case.speculation.num_speculative_tokens and not scenario.num_speculative_tokens:
        return found.model_copy(update={"calibration": f"{found.calibration}; {_UNDRAFTED}"})
    return found


def _footprint(case: Case, chosen: Candidate) -> Footprint:
    """What a rank reads and computes, worked out once for all limits and loads."""
    kv_bytes = 1.0 if chosen.cache.kv_cache_dtype.startswith(_BYTE_CACHES) else 2.0
    known, key = case.common.footprints, (chosen.layout, id(chosen.weights), kv_bytes)
    if key not in known:
        made = footprint(case.architecture, chosen.layout, case.on_gpu, kv_bytes=kv_bytes, weights=chosen.weights)
        known[key] = (chosen.weights, made)
    return known[key][1]


def meets_targets(case: Case, found: Estimate | None) -> bool:
    """Whether the estimate meets every stated target, at its mean; a target without an estimate is not met."""
    targets = case.request.targets
    if found is None:
        return targets.ttft_ms is None and targets.tpot_ms is None
    return (targets.ttft_ms is None or found.ttft_ms.mean <= targets.ttft_ms) and (
        targets.tpot_ms is None or found.tpot_ms.mean <= targets.tpot_ms
    )


def missed_by(case: Case, found: Estimate | None, slower: float = 1.0) -> float:
    """How many times the worst missed target the estimate takes, at so many times its mean; 0 where all are met."""
    targets = case.request.targets
    if found is None:
        return 0.0 if meets_targets(case, None) else float("inf")
    pairs = ((targets.ttft_ms, found.ttft_ms.mean), (targets.tpot_ms, found.tpot_ms.mean))
    worst = max((mean * slower / asked for asked, mean in pairs if asked is not None), default=0.0)
    return worst if worst > 1 else 0.0


def _scenario(case: Case, chosen: Candidate, in_flight: int) -> Scenario:
    load, kept = case.load, case.kept_rate
    return Scenario(
        prompt_tokens=load.prompt_tokens,
        gen_tokens=max(load.gen_tokens, 1),
        concurrency=in_flight,
        prefix_hit_ratio=_found(load.prefix_hit_ratio, chosen),
        num_speculative_tokens=(case.speculation.num_speculative_tokens or 0) if kept else 0,
        acceptance_rate=kept,
        drafting=_drafting(case, chosen) if kept else Drafting(),
    )


def _found(stated: float, chosen: Candidate) -> float:
    """The share of a prompt's tokens that the server has: what is stated, and none where it keeps no prefixes."""
    return stated if stated and prefix_caching(chosen.replica.architecture, chosen.replica.settings) else 0.0


def _drafting(case: Case, chosen: Candidate) -> Drafting:
    """What drafting takes of a rank of the last stage, where vLLM builds the draft."""
    tokens, draft = case.speculation.num_speculative_tokens or 0, case.draft
    last = chosen.weights.stages[-1]
    head = float(last.by_part.get("lm_head", 0))
    if case.drafts:
        return Drafting(passes=tokens, read_bytes=head, own_layers=1)
    if draft is None:
        return Drafting()
    borrows = not draft.architecture.lm_head
    at_once = draft.method == "dflash" or case.speculation.parallel_drafting
    return Drafting(
        passes=1 if at_once else tokens,
        read_bytes=last.by_part.get("draft", 0) + head * borrows,
        other_layers=draft.architecture.num_hidden_layers,
    )


def _limits(chosen: Candidate) -> Limits:
    held = max(1.0, chosen.concurrency / chosen.layout.data_parallel_size)
    return Limits(
        max_num_seqs=int(chosen.sequences.value),
        max_num_batched_tokens=int(chosen.tokens.value),
        enforce_eager=chosen.replica.settings.enforce_eager,
        cache_sequences=held,
        full_sequences=held,
    )
