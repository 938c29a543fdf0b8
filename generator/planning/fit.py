"""fit(): one model against every GPU of the table and every count: fits, or how short."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.models.fit import FitRow
from generator.planning.candidate import evaluate
from generator.planning.checks import check_layout, check_request
from generator.planning.layouts import candidate_layouts
from generator.planning.parts import feasibility

if TYPE_CHECKING:
    from collections.abc import Iterable

    from generator.models.hardware import GPU
    from generator.models.parallelism import Layout
    from generator.planning.case import Case

GPUS_OF_A_NODE = 8


def fit(case: Case, gpus: Iterable[GPU], sizes: Iterable[tuple[int, int]]) -> tuple[FitRow, ...]:
    """A row for each GPU and size (GPUs of a node, nodes); where vLLM refuses, the row carries its reason."""
    pairs = [(gpu, size) for gpu in gpus for size in sizes]
    return tuple(_row(_on(case, gpu, *size)) for gpu, size in pairs)


def _row(case: Case) -> FitRow:
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
        }
    )


def _layout(case: Case) -> Layout:
    """The layout over all these GPUs with the fewest pipeline stages and one replica.

    Raises:
        RequestError: vLLM accepts none; its reason.
    """
    fixed = {"data_parallel_size": 1, "enable_expert_parallel": False}
    layouts = candidate_layouts(case.architecture, case.cluster, fixed, lambda layout: check_layout(case, layout))
    return max(layouts, key=lambda layout: (layout.ranks, layout.tensor_parallel_size))


def _on(case: Case, gpu: GPU, gpus: int, nodes: int) -> Case:
    cluster = case.cluster.model_copy(update={"gpu": gpu, "gpus_per_node": gpus, "nodes": nodes})
    return case.model_copy(update={"cluster": cluster})
