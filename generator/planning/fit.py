"""fit(): one model against every GPU of the table and every count: fits, or how short."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.models.fit import FitRow
from generator.models.parallelism import Layout
from generator.planning.candidate import evaluate
from generator.planning.checks import check_layout, check_request
from generator.planning.estimates import cost, meets_targets, speed
from generator.planning.parts import feasibility

if TYPE_CHECKING:
    from collections.abc import Iterable

    from generator.models.hardware import GPU
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case

GPUS_OF_A_NODE = 8


def fit(
    case: Case, gpus: Iterable[GPU], sizes: Iterable[tuple[int, int]], *, with_speed: bool = False
) -> tuple[FitRow, ...]:
    """A row for each GPU and size (GPUs of a node, nodes); where vLLM refuses, the row carries its reason.

    `with_speed` adds what the row would deliver and cost, which takes longer than the memory does.
    """
    pairs = [(gpu, size) for gpu in gpus for size in sizes]
    return tuple(_row(_on(case, gpu, *size), with_speed=with_speed) for gpu, size in pairs)


def cheapest(rows: Iterable[FitRow]) -> tuple[FitRow, ...]:
    """The rows that fit, meet the targets and have a price, the cheapest answers first; ties to fewer GPUs."""
    able = [row for row in rows if row.meets_targets and row.cost_per_million_output_tokens is not None]
    return tuple(sorted(able, key=lambda row: (row.cost_per_million_output_tokens, row.gpus * row.nodes, row.gpu)))


def _row(case: Case, *, with_speed: bool) -> FitRow:
    cluster = case.cluster
    row = FitRow(gpu=cluster.gpu.name, gpus=cluster.gpus_per_node, nodes=cluster.nodes)
    try:
        check_request(case)
        chosen = evaluate(case, _layout(case))
    except RequestError as refusal:
        return row.model_copy(update={"refusal": str(refusal)})
    found = feasibility(case, chosen)
    return row.model_copy(
        update={
            "layout": chosen.layout,
            "verdict": chosen.verdict,
            "shortfall_bytes": found.shortfall_bytes,
            "max_model_len": int(chosen.context.value) if found.fits else 0,
            "concurrency": found.max_concurrency_at_context,
            **(_speed(case, chosen) if with_speed else {}),
        }
    )


def _speed(case: Case, chosen: Candidate) -> dict[str, object]:
    """Fields of a row that say what it delivers and costs; none where its speed is unknown."""
    found = speed(case, chosen)
    if found is None:
        return {}
    price = cost(case, chosen, found)
    return {
        "tpot_ms": found.tpot_ms.mean,
        "output_tokens_per_s": found.output_tokens_per_s.mean,
        "cost_per_million_output_tokens": price.cost_per_million_output_tokens if price else None,
        "meets_targets": chosen.verdict == "fits" and chosen.carries_load and meets_targets(case, found),
    }


def _layout(case: Case) -> Layout:
    """The layout over all these GPUs with the widest tensor-parallel group inside a node, one replica.

    Raises:
        RequestError: vLLM accepts none; its first reason.
    """
    cluster = case.cluster
    refusal: RequestError | None = None
    for tp in range(cluster.gpus_per_node, 0, -1):
        if cluster.total_gpus % tp:
            continue
        layout = Layout(tensor_parallel_size=tp, pipeline_parallel_size=cluster.total_gpus // tp)
        try:
            check_layout(case, layout)
        except RequestError as error:
            refusal = refusal or error
        else:
            return layout
    raise refusal or RequestError("no layout fills these GPUs")


def _on(case: Case, gpu: GPU, gpus: int, nodes: int) -> Case:
    cluster = case.cluster.model_copy(update={"gpu": gpu, "gpus_per_node": gpus, "nodes": nodes})
    return case.model_copy(update={"cluster": cluster})
