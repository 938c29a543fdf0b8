"""held(): one model on the GPUs that were named, and the order in which several are told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from generator.errors import RequestError
from generator.models.fit import ModelRow, Purpose
from generator.planning.choosing.scored import Scored, scored
from generator.planning.evaluation import evaluate
from generator.planning.fit import too_large, widest_layout
from generator.planning.parts import stored_bytes
from generator.planning.planner import weighed
from generator.planning.rules.checks import check_request
from generator.planning.weights.rank import model_totals

if TYPE_CHECKING:
    from generator.planning.case import Case

Order = Literal["size", "speed"]


def held(case: Case, purposes: tuple[Purpose, ...] = (), sibling_of: str = "") -> ModelRow | None:
    """The row of a model that `plan` accepts on these GPUs; None for one that does not fit or that vLLM refuses.

    It is worked out in the widest tensor-parallel group, as `fit` does; where it has no room there, in every layout.
    """
    option = _option(case)
    if option is None or option.candidate.verdict == "does_not_fit":
        return None
    chosen, found = option.candidate, None if case.pooling else option.estimate
    totals = model_totals(case.architecture, case.quantization)
    return ModelRow(
        model=case.facts.id,
        sibling_of=sibling_of,
        parameters=totals.parameters,
        active_parameters=totals.active_parameters,
        weights=case.method_name or case.dtype,
        checkpoint_bytes=stored_bytes(case),
        purposes=purposes,
        layout=chosen.layout,
        verdict="tight" if chosen.verdict == "tight" else "fits",
        max_model_len=int(chosen.context.value),
        concurrency=chosen.concurrency,
        carries=chosen.carries_load,
        ttft_ms=found.ttft_ms.mean if found else None,
        tpot_ms=found.tpot_ms.mean if found else None,
        output_tokens_per_s=found.output_tokens_per_s.mean if found else None,
    )


def ordered(rows: Iterable[ModelRow], by: Order) -> tuple[ModelRow, ...]:
    """The rows, the best first: the most parameters, of those the most bytes; or the least time for a token."""
    return tuple(sorted(rows, key=_by_speed if by == "speed" else _by_size))


def _by_size(row: ModelRow) -> tuple[object, ...]:
    return row.verdict != "fits", -row.parameters, -row.checkpoint_bytes, row.model


def _by_speed(row: ModelRow) -> tuple[object, ...]:
    unknown = row.tpot_ms is None
    return row.verdict != "fits", unknown, row.tpot_ms or 0.0, -row.parameters, row.model


def _option(case: Case) -> Scored | None:
    """The widest layout where the model has room there, else the best of all; None where vLLM refuses each."""
    if too_large(case):
        return None
    try:
        widest = _widest(case)
        return widest or weighed(case).chosen
    except RequestError:
        return None


def _widest(case: Case) -> Scored | None:
    check_request(case)
    try:
        made = evaluate(case, widest_layout(case))
    except RequestError:
        return None
    return scored(case, (made,))[0] if made.verdict == "fits" else None
