"""Variants: engine values that a plan never takes by itself, because each gives something up.

A plan keeps the model's own cache dtype, CUDA graphs and undivided caches. Where a variant is worth it, it is
proposed, as an alternative or as a repair, and the user decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from generator.models.parallelism import Layout
from generator.planning.arithmetic import cache_arithmetic
from generator.planning.kinds.of import attentions_of

if TYPE_CHECKING:
    from generator.planning.case import Case

_GRAPH_ARGUMENTS = frozenset({"enforce_eager", "compilation_config", "optimization_level"})
DIVIDED = "decode_context_parallel_size"
_CACHE_DTYPES = {"fp8": "FP8", "nvfp4": "NVFP4"}
"""Cache dtypes that are proposed, the mildest first."""


class Variant(NamedTuple):
    """Engine values beside the user's own, and what they give up."""

    title: str
    values: dict[str, Any]
    flags: tuple[str, ...]
    costs: str


def cache_variants(case: Case) -> Iterator[Variant]:
    """Smaller cache dtypes that the release takes and the GPU computes with natively; none beside the user's own."""
    own = case.quantization.kv_cache_dtype if case.quantization else None
    if case.fixed.get("kv_cache_dtype", "auto") != "auto" or own:
        return
    for dtype, name in _CACHE_DTYPES.items():
        if dtype in case.tables.engine.kv_cache_dtypes and cache_arithmetic(dtype, case.gpu).verdict == "native":
            yield Variant(
                title=f"an {name} KV cache",
                values={"kv_cache_dtype": dtype},
                flags=("--kv-cache-dtype", dtype),
                costs=f"keys and values are rounded to {name}, which costs accuracy",
            )


def graph_variants(case: Case) -> Iterator[Variant]:
    """No CUDA graphs; none where the user decides about them."""
    decided = _GRAPH_ARGUMENTS & (case.fixed.keys() | case.left_to_vllm)
    if not decided and not case.eager:
        yield Variant(
            title="no CUDA graphs",
            values={"enforce_eager": True},
            flags=("--enforce-eager",),
            costs="the host launches every kernel of every step",
        )


def divides_caches(case: Case) -> bool:
    """Whether ranks may share caches by the planner's choice: the release can, and nobody decided.

    Not where an indexer picks tokens: vLLM takes that on few layouts (0.33 attention/backends/mla/flashmla_sparse.py).
    """
    picks = any(one.sparse for one in attentions_of(case.architecture))
    return case.chooses(DIVIDED) and DIVIDED in case.tables.engine.by_name and not picks


def context_parallel_variants(case: Case, layout: Layout) -> Iterator[Variant]:
    """Divided caches: as many ranks of a tensor-parallel group as possible share each sequence's; fewest first."""
    name = DIVIDED
    if layout.decode_context_parallel_size > 1 or not divides_caches(case):
        return
    for size in range(2, layout.tensor_parallel_size + 1):
        if layout.tensor_parallel_size % size == 0:
            yield Variant(
                title=f"each sequence's cache divided over {size} GPUs",
                values={name: size},
                flags=("--set", f"{name}={size}"),
                costs="three more messages between GPUs in every layer",
            )


def with_values(case: Case, values: dict[str, Any]) -> Case:
    """The case with more engine values of the user's, in its request too."""
    request = case.request.model_copy(update={"overrides": case.request.overrides | values})
    return case.changed(fixed=case.fixed | values, request=request)
