"""Checks of a case against what vLLM refuses, before anything is worked out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import RequestError

if TYPE_CHECKING:
    from generator.models.parallelism import Layout
    from generator.planning.case import Case


def check_request(case: Case) -> None:
    """Return only where no value of the request is refused whatever the layout.

    Raises:
        RequestError: vLLM would refuse one; names it.
    """
    utilization = case.fixed.get("gpu_memory_utilization")
    if utilization is not None and not 0 < utilization <= 1:
        raise RequestError(f"gpu_memory_utilization must be above 0 and at most 1, got {utilization}")


def check_layout(case: Case, layout: Layout) -> None:
    """Return only where vLLM accepts the layout for this model and these GPUs.

    Raises:
        RequestError: it does not; the reason is vLLM's.
    """
    if layout.ranks > case.cluster.total_gpus:
        raise RequestError(
            f"{layout.ranks} ranks need {layout.ranks} GPUs, there are {case.cluster.total_gpus}: raise --gpus"
        )
