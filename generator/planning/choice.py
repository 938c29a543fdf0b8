"""Choice: the best of the layouts that were worked out, by stated tie-breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from generator.planning.candidate import Candidate
    from generator.planning.case import Case

_VERDICTS = ("fits", "tight", "does_not_fit")


def best(case: Case, candidates: Sequence[Candidate]) -> Candidate:
    """The candidate that fits most surely, carries the workload, and serves the batching mode best.

    Ties go to fewer pipeline stages, then to fewer replicas, then to experts sharded like everything else.
    """
    return min(candidates, key=lambda candidate: _key(case, candidate))


def _key(case: Case, candidate: Candidate) -> tuple[object, ...]:
    layout = candidate.layout
    does_not_fit = candidate.verdict == "does_not_fit"
    return (
        _VERDICTS.index(candidate.verdict),
        -candidate.headroom_bytes if does_not_fit else 0,
        not candidate.carries_load,
        *_objective(case, candidate),
        layout.pipeline_parallel_size,
        layout.data_parallel_size,
        layout.enable_expert_parallel,
        layout.ranks,
    )


def _objective(case: Case, candidate: Candidate) -> tuple[object, ...]:
    """Smaller is better: idle GPUs first; then ranks a token waits for, or replicas that it does not."""
    layout = candidate.layout
    idle = case.cluster.total_gpus - layout.ranks
    if case.request.batching_mode == "throughput":
        return idle, layout.pipeline_parallel_size, -layout.data_parallel_size
    return idle, layout.pipeline_parallel_size, -layout.tensor_parallel_size
