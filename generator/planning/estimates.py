"""Estimates of a candidate: speed under the workload, and what it meets of the targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import UnknownFactError
from generator.models.speed import Limits, Scenario
from generator.planning.passes import passes
from generator.planning.roofline import estimate
from generator.planning.speed.footprint import footprint

if TYPE_CHECKING:
    from generator.models.estimate import Estimate
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case

_BYTE_CACHES = ("fp8", "int8", "nvfp4", "int4")


def speed(case: Case, chosen: Candidate, *, full: bool = False) -> Estimate | None:
    """The estimate of a candidate under the workload; with `full` at the batch that it admits at most.

    None where the GPU's figures are unknown or nothing fits: a figure that is missing is not guessed.
    """
    if case.tables.speed is None or chosen.verdict == "does_not_fit" or chosen.concurrency == 0:
        return None
    narrow = chosen.cache.kv_cache_dtype.startswith(_BYTE_CACHES)
    try:
        held = footprint(
            case.architecture,
            chosen.layout,
            case.on_gpu,
            kv_bytes=1.0 if narrow else 2.0,
            weights=chosen.weights,
        )
        return (passes if case.pooling else estimate)(
            held,
            case.gpu,
            _scenario(case, chosen, full=full),
            _limits(chosen),
            case.tables.speed,
            link=case.cluster.link,
            release=case.release,
        )
    except UnknownFactError:
        return None


def meets_targets(case: Case, found: Estimate | None) -> bool:
    """Whether the estimate meets every stated target, at its mean; a target without an estimate is not met."""
    targets = case.request.targets
    if found is None:
        return targets.ttft_ms is None and targets.tpot_ms is None
    return (targets.ttft_ms is None or found.ttft_ms.mean <= targets.ttft_ms) and (
        targets.tpot_ms is None or found.tpot_ms.mean <= targets.tpot_ms
    )


def _scenario(case: Case, chosen: Candidate, *, full: bool) -> Scenario:
    load = case.load
    admitted = int(chosen.sequences.value) * chosen.layout.data_parallel_size
    return Scenario(
        prompt_tokens=load.prompt_tokens,
        gen_tokens=max(load.gen_tokens, 1),
        concurrency=admitted if full else load.concurrency,
        prefix_hit_ratio=load.prefix_hit_ratio,
    )


def _limits(chosen: Candidate) -> Limits:
    return Limits(
        max_num_seqs=int(chosen.sequences.value),
        max_num_batched_tokens=int(chosen.tokens.value),
        enforce_eager=chosen.eager,
        cache_sequences=max(1.0, chosen.concurrency / chosen.layout.data_parallel_size),
    )
