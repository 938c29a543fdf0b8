"""Layouts: every way to spread one server over the GPUs that vLLM accepts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.models.architecture import Architecture
from generator.models.hardware import Cluster
from generator.models.parallelism import Layout
from generator.planning.rules.checks import check_layout

if TYPE_CHECKING:
    from generator.planning.case import Case

_SIZES: dict[str, object] = {
    "tensor_parallel_size": 1,
    "pipeline_parallel_size": 1,
    "data_parallel_size": 1,
    "enable_expert_parallel": False,
    "decode_context_parallel_size": 1,
}
"""Parallel sizes and vLLM's own defaults of them (vLLM 0.32 config/parallel.py)."""


def fixed_sizes(overrides: Mapping[str, object], left_to_vllm: Collection[str] = ()) -> dict[str, object]:
    """The parallel sizes that the user sets, and vLLM's defaults of those that the user leaves to it."""
    own = {name: overrides[name] for name in _SIZES if overrides.get(name) is not None}
    return {name: default for name, default in _SIZES.items() if name in left_to_vllm} | own


def layouts_of(case: Case) -> tuple[Layout, ...]:
    """Every layout that vLLM accepts for this case, fewest ranks first.

    Raises:
        RequestError: there is none; the reason of the nearest refusal.
    """
    fixed = fixed_sizes(case.fixed, case.left_to_vllm)
    return candidate_layouts(case.architecture, case.cluster, fixed, partial(_check, case))


def _check(case: Case, layout: Layout) -> None:
    """Return only where vLLM starts the layout; one that it starts on fewer GPUs it starts on more."""
    known = case.common.accepted
    if layout not in known or layout.ranks > case.cluster.total_gpus:
        check_layout(case, layout)
        known.add(layout)


def candidate_layouts(
    architecture: Architecture,
    cluster: Cluster,
    fixed: Mapping[str, object],
    check: Callable[[Layout], None],
) -> tuple[Layout, ...]:
    """Every layout over this cluster that `check` accepts, the fixed sizes held; fewest ranks first.

    Raises:
        RequestError: the fixed sizes leave no layout; the reason of the nearest refusal.
    """
    accepted, refusal = [], None
    for layout in _grid(architecture, cluster, fixed):
        try:
            check(layout)
        except RequestError as error:
            refusal = refusal or error
        else:
            accepted.append(layout)
    if not accepted:
        raise refusal or RequestError(_no_layout(cluster, fixed))
    return tuple(sorted(accepted, key=_order))


def _grid(architecture: Architecture, cluster: Cluster, fixed: Mapping[str, object]) -> Iterator[Layout]:
    total = cluster.total_gpus
    groups = int(str(fixed.get("decode_context_parallel_size", 1)))
    for tp in _sizes(fixed, "tensor_parallel_size", total):
        for pp in _sizes(fixed, "pipeline_parallel_size", total // tp):
            if tp % groups and "tensor_parallel_size" not in fixed and total >= groups:
                continue  # ranks that share a context are part of a tensor-parallel group
            for dp in _sizes(fixed, "data_parallel_size", total // (tp * pp)):
                if not _fills((tp, pp, dp), cluster, fixed):
                    continue
                for expert in _expert_choices(fixed, moe=architecture.is_moe and tp * dp > 1):
                    yield Layout(
                        tensor_parallel_size=tp,
                        pipeline_parallel_size=pp,
                        data_parallel_size=dp,
                        enable_expert_parallel=expert,
                        decode_context_parallel_size=groups,
                    )


def _sizes(fixed: Mapping[str, object], name: str, most: int) -> tuple[int, ...]:
    """The fixed size, or all from 1 to `most`; 1 where the other sizes take more GPUs than there are."""
    if name in fixed:
        return (int(str(fixed[name])),)
    return tuple(range(1, max(1, most) + 1))


def _fills(layout: tuple[int, int, int], cluster: Cluster, fixed: Mapping[str, object]) -> bool:
    """One node may stay partly idle; several nodes are filled by one replica (nnodes divides the ranks).

    A tensor-parallel group stays inside its node, where the fast link is, and a pipeline crosses nodes.
    """
    tp, pp, dp = layout
    if cluster.nodes > 1:
        whole = tp * pp * dp == cluster.total_gpus and (dp == 1 or "data_parallel_size" in fixed)
        return whole and (tp <= cluster.gpus_per_node or "tensor_parallel_size" in fixed)
    return tp * pp * dp <= cluster.total_gpus or bool(fixed)


def _expert_choices(fixed: Mapping[str, object], *, moe: bool) -> tuple[bool, ...]:
    if "enable_expert_parallel" in fixed:
        return (bool(fixed["enable_expert_parallel"]),)
    return (False, True) if moe else (False,)


def _order(layout: Layout) -> tuple[int, int, int, bool]:
    return (
        layout.ranks,
        layout.pipeline_parallel_size,
        layout.data_parallel_size,
        layout.enable_expert_parallel,
    )


def _no_layout(cluster: Cluster, fixed: Mapping[str, object]) -> str:
    stated = ", ".join(f"{name}={value}" for name, value in fixed.items()) or "the model's shape"
    gpus = f"{cluster.nodes} x {cluster.gpus_per_node} GPUs"
    return f"{stated} does not lay out over {gpus}; change --gpus or the sizes"
